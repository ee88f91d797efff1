"""A board as a table for spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import Leaderboard, LeaderboardEntry, RankStatistics
from medvid.models.fact_texts import fact_text
from medvid.models.facts import BOARD_FACTS, BoardFacts
from medvid.spreadsheets import table
from services.gateway.boards.models import intervals_of

_ABOUT: Final = (
    "model_name", "organization", "team", "authors", "model_url", "track", "badges",
    "submitted_on", "verified_on",
)  # fmt: skip
_FIRMNESS: Final = ("rank_low", "rank_high", "first_share", "may_be_best")


def board_csv(board: Leaderboard) -> str:
    """Return a board's entries, one a line; an empty cell where there is no value."""
    return table(*_table(board))


def boards_csv(boards: Sequence[Leaderboard]) -> str:
    """Return the entries of several boards, each with the name of its board."""
    tables = [(board.board, *_table(board)) for board in boards]
    columns = tables[0][1]
    return table(["board", *columns], [[name, *row] for name, _, rows in tables for row in rows])


def _table(board: Leaderboard) -> tuple[list[str], list[list[object]]]:
    rows = []
    for entry in board.entries:
        about = entry.model_dump(mode="json", include=set(_ABOUT))
        about["badges"] = " ".join(about["badges"])
        rows.append(
            [
                entry.rank,
                *_firmness(entry.statistics),
                *(about[name] for name in _ABOUT),
                entry.mean_rank,
                *(entry.values.get(key) for key in METRIC_KEYS),
                str(entry.entry_id),
                " ".join(f"{key}={series}" for key, series in entry.series.items() if series),
                *(end for key in METRIC_KEYS for end in _ends(entry, key)),
                " ".join(entry.not_ranked),
                *_facts(entry.facts),
                *((entry.view_rank, entry.view_mean_rank) if board.view else ()),
            ]
        )
    ends = [f"{key}_{end}" for key in METRIC_KEYS for end in ("low", "high")]
    columns = ["rank", *_FIRMNESS, *_ABOUT, "mean_rank", *METRIC_KEYS, "entry_id", "series", *ends]
    columns += ["not_ranked", *BOARD_FACTS]
    if board.view:
        columns += ["view_rank", "view_mean_rank"]
    return columns, rows


def _firmness(found: RankStatistics | None) -> list[object]:
    if found is None:
        return [None] * len(_FIRMNESS)
    best = "true" if found.may_be_best else "false"
    return [found.rank_low, found.rank_high, found.first_share, best]


def _facts(facts: BoardFacts | None) -> list[str]:
    stated = {} if facts is None else facts.model_dump(mode="json")
    return [fact_text(stated.get(name)) for name in BOARD_FACTS]


def _ends(entry: LeaderboardEntry, key: str) -> tuple[float | None, float | None]:
    return intervals_of(entry).get(key, (None, None))
