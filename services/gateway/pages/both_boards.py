"""Both boards on one page: each model with its rank on its own board, and no rank over both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Scoring
from medvid.models.boards import COLUMNS, Leaderboard, LeaderboardEntry
from services.gateway.boards.urls import board_url, csv_url, scoring_query
from services.gateway.pages.board_view import MOST_ROWS, Sheet, View
from services.gateway.pages.rendering import Pages, with_query
from services.gateway.web.urls import url

_BY_BOARD: Final = View()
_SORTED_BY: Final = ("model", *METRIC_KEYS, "date")


def both_view(view: View) -> View:
    """Return a view as this page has it: all columns, of all tracks, and sorted by no rank."""
    sort = view.sort if view.sort in _SORTED_BY else _BY_BOARD.sort
    return View(view.search, sort=sort, descending=view.descending and sort == view.sort)


def render_both(
    pages: Pages, boards: Sequence[Leaderboard], view: View, valueless: Collection[Scoring]
) -> str:
    """Return the page of boards in one scoring; `valueless`: scorings without any value."""
    rows = [(board, entry) for board in boards for entry in board.entries]
    places = _places([entry for _, entry in rows], view)
    scoring = boards[0].scoring
    address = both_url(scoring)

    def sort_url(key: str) -> str:
        following = view.next_sorting(key)
        asked = replace(
            view, sort=following.removeprefix("-"), descending=following.startswith("-")
        )
        return with_query(address, asked.query)

    return pages.render(
        "both.html",
        boards=boards,
        scoring=scoring,
        view=view,
        rows=[rows[place] for place in places[:MOST_ROWS]],
        found=len(places),
        total=len(rows),
        columns=COLUMNS,
        address=url("both"),
        by_board=with_query(address, replace(view, sort="rank", descending=False).query),
        sort_url=sort_url,
        other_judges=len({board.series.current for board in boards if board.series}) > 1,
        switches=[
            (each, with_query(both_url(each), view.query), each in valueless) for each in SCORINGS
        ],
        downloads=[
            *(
                (f"Both {label}", url("api_both", query={**scoring_query(scoring), **form}))
                for label, form in (("CSV", {"format": "csv"}), ("JSON", {}))
            ),
            *(
                (f"{board.board.capitalize()} {label}", address(board.board, scoring))
                for board in boards
                for label, address in (("CSV", csv_url), ("JSON", board_url))
            ),
        ],
    )


def both_url(scoring: Scoring) -> str:
    """Return where the page is."""
    return url("both", query=scoring_query(scoring))


def _places(entries: Sequence[LeaderboardEntry], view: View) -> list[int]:
    """Return the rows that a view shows, in its order: by board and rank unless it has another."""
    sheet = Sheet(entries, "community")
    shown = sheet.shown(view)
    ordered = range(len(entries)) if view.sort == _BY_BOARD.sort else sheet.ordered(view)
    return [place for place in ordered if place in shown]
