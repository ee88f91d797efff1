"""Where an entry stands: its ten scores beside the version before and the board's best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from medvid.benchmark.disclosure import rounded, withheld
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Board, Scoring
from medvid.models.entries import EntryScore
from medvid.models.submissions import ScoreStanding, Standing
from services.gateway.boards.current import Boards
from services.gateway.boards.entries import entry_of
from services.gateway.boards.store import BoardHistory, Row
from shared.runtime.errors import NotFound

_Values = Mapping[tuple[str, Scoring], float]
"""Values that are shown, by metric and scoring."""


async def standing_of(
    boards: Boards, history: BoardHistory, board: Board, entry_id: UUID
) -> Standing | None:
    """Return where an entry stands; None where it is not on its board."""
    try:
        entry = await entry_of(boards, history, board, str(entry_id))
    except NotFound:
        return None
    scores = {score.metric: score for score in entry.scores}
    ranks = {(metric, place.scoring): rank
             for place in entry.places for metric, rank in place.ranks.items()}  # fmt: skip
    on_board = ranked_values(boards, board, entry_id)
    before = _shown(await history.scores_before(entry_id))
    best = _best(boards, board)
    return Standing(
        places=entry.places,
        scores=[
            _standing(
                metric,
                scores.get(metric),
                {scoring: ranks[metric, scoring] for scoring in SCORINGS
                 if (metric, scoring) in ranks and (metric, scoring) in on_board},
                before,
                best,
            )
            for metric in METRIC_KEYS
        ],
    )  # fmt: skip


def ranked_values(boards: Boards, board: Board, entry_id: UUID) -> set[tuple[str, Scoring]]:
    """Return which values its board ranks it by: one that came after has no rank yet."""
    return {
        (metric, scoring)
        for scoring in SCORINGS
        for entry in boards.get(board, scoring).board.entries
        if entry.entry_id == entry_id
        for metric, value in entry.values.items()
        if value is not None
    }


def _standing(
    metric: str,
    score: EntryScore | None,
    ranks: Mapping[Scoring, int],
    before: _Values,
    best: _Values,
) -> ScoreStanding:
    values: dict[Scoring, float | None] = {"compat": None, "strict": None}
    if score is not None:
        values = {"compat": score.compat, "strict": score.strict}
    return ScoreStanding(
        metric=metric,
        compat=values["compat"],
        strict=values["strict"],
        withheld=score.withheld if score else None,
        intervals=score.intervals if score else {},
        ranks={scoring: rank for scoring, rank in ranks.items() if values[scoring] is not None},
        change={
            scoring: round(value - before[metric, scoring], 4)
            for scoring, value in values.items()
            if value is not None and (metric, scoring) in before
        },
        best={scoring: best[metric, scoring] for scoring in SCORINGS if (metric, scoring) in best},
    )


def _shown(scores: Sequence[Row]) -> _Values:
    """Return what of stored scores is shown."""
    return {
        (score["metric"], scoring): value
        for score in scores
        if withheld(score["metric"], score["answered"], score["expected"]) is None
        for scoring in SCORINGS
        if (value := rounded(score[scoring])) is not None
    }


def _best(boards: Boards, board: Board) -> _Values:
    found: dict[tuple[str, Scoring], float] = {}
    for scoring in SCORINGS:
        for entry in boards.get(board, scoring).board.entries:
            for metric, value in entry.values.items():
                if value is not None and value > found.get((metric, scoring), float("-inf")):
                    found[metric, scoring] = value
    return found
