"""The page of models side by side, of one board or of both."""

from __future__ import annotations

from collections.abc import Sequence

from medvid.models.boards import COLUMNS, Leaderboard, LeaderboardEntry
from medvid.models.comparisons import EntryComparison
from services.gateway.boards.comparisons import decision, words
from services.gateway.boards.models import intervals_of
from services.gateway.boards.urls import BOTH, compare_url
from services.gateway.pages import plots
from services.gateway.pages.comparison import MAX_MODELS, choose, compare
from services.gateway.pages.rendering import Pages, Valueless, switches


def chosen_of(boards: Sequence[Leaderboard], asked: Sequence[str]) -> list[LeaderboardEntry]:
    """Return the entries that were asked for, in that order.

    Where none was, the best of a board, or of each board its best.
    """
    if asked or len(boards) == 1:
        return choose([entry for board in boards for entry in board.entries], asked)
    return [entry for board in boards for entry in board.entries[:1] if entry.rank is not None]


def render_comparison(
    pages: Pages,
    boards: Sequence[Leaderboard],
    asked: Sequence[str],
    valueless: Valueless = frozenset(),
    found: Sequence[EntryComparison] = (),
) -> str:
    """Return the page; `found` compares the others with the first."""
    chosen = chosen_of(boards, asked)
    of = {entry.entry_id: board.board for board in boards for entry in board.entries}
    there = len({*map(str, of)}.intersection(asked))
    values = [entry.values for entry in chosen]
    ends = [intervals_of(entry) for entry in chosen]
    prepared = [pages.prepared(board) for board in boards]
    everyone = [entry for each in prepared for entry in each.everyone]
    scoring = boards[0].scoring
    name = boards[0].board if len(boards) == 1 else BOTH
    drawn_one_by_one = len(everyone) <= plots.MOST_LINES
    return pages.render(
        "compare.html",
        boards=boards,
        name=name,
        of=of,
        everyone=len(everyone),
        scoring=scoring,
        chosen=chosen,
        lost=len(asked) - there,
        left_out=max(0, there - MAX_MODELS),
        most=MAX_MODELS,
        switches=[
            *switches(compare_url, valueless),
            (BOTH, "compat", "Both", compare_url(BOTH, "compat"), False),
        ],
        around=plots.radar(values, everyone, ends),
        side=plots.parallel(values, everyone, ends),
        choices=[(each.board.board, each.choices(chosen)) for each in prepared],
        lines=plots.courses(everyone) if chosen and drawn_one_by_one else [],
        bands=None if drawn_one_by_one else plots.bands(everyone),
        metrics=compare(chosen, ends),
        comparisons=[
            (words(other.model_name, chosen[0].model_name, each), other, each)
            for other, each in zip(chosen[1:], found, strict=False)
            if each.statistics_version or each.not_compared
        ],
        decision=decision,
        columns=COLUMNS,
    )
