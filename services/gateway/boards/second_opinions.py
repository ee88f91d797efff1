"""Second opinions on a board's order (SPEC 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from medvid.benchmark.disclosure import rounded, withheld_sources
from medvid.benchmark.ranking import RankedRow, rank
from medvid.benchmark.series import ranked_values
from medvid.benchmark.statistics.ranks import MOST_ENTRIES
from medvid.benchmark.statistics.second_opinions import (
    fair_view,
    majority,
    places,
    sensitivity,
    weighted_mean_ranks,
)
from medvid.judging.leave_out import judges_out
from medvid.judging.panels import Panel
from medvid.models.boards import LeaderboardEntry
from medvid.models.second_opinions import SecondOpinion, SecondOpinions
from medvid.spreadsheets import table
from services.gateway.boards.models import MeasuredBoard
from services.gateway.boards.reader_weights import Weights
from shared.runtime.errors import InvalidInput

Row = Mapping[str, Any]
_DECIMALS: Final = 4


def second_opinions(board: MeasuredBoard, scores: Sequence[Row]) -> SecondOpinions:
    """Return what other rules say of a board's order.

    `scores` are the scores by source of its entries; none where they are not those of the board.
    Raises InvalidInput for a board of too many entries.
    """
    entries = [entry for entry in board.entries if entry.rank is not None]
    if len(entries) > MOST_ENTRIES:
        raise InvalidInput(
            f"the board has more than {MOST_ENTRIES:,} ranked entries.",
            fix="Download it and use 'medvid.benchmark.statistics.second_opinions'.",
            code="board_too_large",
        )
    ranked = _ranked(board, entries)
    fair = _fair(entries, scores)
    order = sorted(
        (n for n, value in enumerate(fair) if value is not None), key=lambda n: (-(fair[n] or 0), n)
    )
    fair_places = {n: place for place, n in enumerate(order, 1)}
    without = judges_out(_rows(entries), _panels(entries, scores), board.ranking)
    return SecondOpinions(
        board=board.board,
        scoring=board.scoring,
        snapshot=board.snapshot,
        permalink=board.permalink,
        updated_at=board.updated_at,
        series=board.series,
        weights=None,
        entries=[
            SecondOpinion(
                entry_id=entry.entry_id,
                model_name=entry.model_name,
                organization=entry.organization,
                rank=entry.rank or n + 1,
                mean_rank=entry.mean_rank or 0.0,
                statistics=entry.statistics,
                one_entry_out=moved.one_entry_out,
                one_metric_out=moved.one_metric_out,
                copeland=won.copeland,
                majority_place=won.majority_place,
                fair=rounded(fair[n]),
                fair_place=fair_places.get(n),
                one_judge_out=_range(entry.rank or n + 1, without[n]),
                judges_out=without[n],
            )
            for n, (entry, moved, won) in enumerate(
                zip(entries, sensitivity(ranked, board.ranking), majority(ranked), strict=True)
            )
        ],
    )


def weighted(found: SecondOpinions, board: MeasuredBoard, weights: Weights) -> SecondOpinions:
    """Return second opinions with the order by a reader's weights."""
    entries = [entry for entry in board.entries if entry.rank is not None]
    means = weighted_mean_ranks(_ranked(board, entries), weights)
    return found.model_copy(
        update={
            "weights": dict(weights),
            "entries": [
                each.model_copy(
                    update={
                        "weighted_mean_rank": round(mean, _DECIMALS),
                        "weighted_place": place,
                    }
                )
                for each, mean, place in zip(found.entries, means, places(means), strict=True)
            ],
        }
    )


def _ranked(board: MeasuredBoard, entries: Sequence[LeaderboardEntry]) -> list[RankedRow]:
    ranked, _ = rank(_rows(entries), board.ranking)
    return list(ranked)


def _rows(entries: Sequence[LeaderboardEntry]) -> list[dict[str, Any]]:
    return [
        {"model_name": each.model_name, **ranked_values(each.values, each.not_ranked)}
        for each in entries
    ]


def _panels(
    entries: Sequence[LeaderboardEntry], scores: Sequence[Row]
) -> list[dict[str, tuple[Panel, list[float | None]]]]:
    """Return the panels behind the judged values of entries, and each member's own value."""
    found: dict[UUID, dict[str, tuple[Panel, list[float | None]]]] = {}
    for score in scores:
        facts = orjson.loads(score["panel"])
        if facts["members"]:
            panel = Panel.read(score["judge_version"], facts)
            values = [member["value"] for member in facts["members"]]
            found.setdefault(score["entry_id"], {})[score["metric"]] = panel, values
    return [found.get(each.entry_id, {}) for each in entries]


def _range(rank: int, places: Mapping[str, int]) -> tuple[int, int] | None:
    if not places:
        return None
    return min(rank, *places.values()), max(rank, *places.values())


def _fair(entries: Sequence[LeaderboardEntry], scores: Sequence[Row]) -> list[float | None]:
    """Return the fair view of the values that rank."""
    shown = {entry.entry_id: ranked_values(entry.values, entry.not_ranked) for entry in entries}
    sources: dict[UUID, dict[str, dict[str, float | None]]] = {}
    for score in scores:
        values = shown.get(score["entry_id"], {})
        by_source = orjson.loads(score["by_source"])
        if values.get(score["metric"]) is not None and by_source:
            # A mean over few sources would reveal a withheld value.
            why = withheld_sources(None, by_source)
            sources.setdefault(score["entry_id"], {})[score["metric"]] = {
                source: part.get("compat")
                for source, part in by_source.items()
                if why[source] is None
            }
    return fair_view([sources.get(entry.entry_id) for entry in entries])


def second_opinions_csv(found: SecondOpinions) -> str:
    """Return second opinions, an entry a line."""
    columns = [
        "rank", "rank_low", "rank_high", "first_share", "may_be_best", "model_name", "organization",
        "mean_rank", "entry_out_low", "entry_out_high", "metric_out_low", "metric_out_high",
        "copeland", "majority_place", "fair", "fair_place", "weighted_mean_rank", "weighted_place",
        "entry_id", "judge_out_low", "judge_out_high",
    ]  # fmt: skip
    return table(columns, [_line(each) for each in found.entries])


def _line(each: SecondOpinion) -> list[object]:
    firm = each.statistics
    return [
        each.rank,
        *((firm.rank_low, firm.rank_high, firm.first_share) if firm else (None,) * 3),
        str(firm.may_be_best).lower() if firm else None,
        each.model_name,
        each.organization,
        each.mean_rank,
        *each.one_entry_out,
        *each.one_metric_out,
        each.copeland,
        each.majority_place,
        each.fair,
        each.fair_place,
        each.weighted_mean_rank,
        each.weighted_place,
        str(each.entry_id),
        *(each.one_judge_out or (None, None)),
    ]
