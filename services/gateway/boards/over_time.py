"""The best value of each metric over time, read off a board. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import Leaderboard, LeaderboardEntry
from medvid.models.figures import BestOverTime, BestStep, MetricOverTime
from medvid.spreadsheets import table
from services.gateway.boards.models import intervals_of

_CSV_COLUMNS: Final = (
    "metric", "submitted_on", "value", "low", "high", "model_name", "organization", "entry_id",
)  # fmt: skip


def best_over_time(board: Leaderboard) -> BestOverTime:
    """Return how the best values of a board grew, of the entries that it lists."""
    by_day = sorted(board.entries, key=lambda entry: entry.submitted_on)
    return BestOverTime(
        **state_of(board),
        metrics=[MetricOverTime(metric=key, steps=[*_steps(by_day, key)]) for key in METRIC_KEYS],
    )


def state_of(board: Leaderboard) -> dict[str, Any]:
    """Return the fields of a figure that say which board it is read off."""
    return board.model_dump(include={"board", "scoring", "snapshot", "updated_at"})


def ranking_value(entry: LeaderboardEntry, key: str) -> float | None:
    """Return the value by which an entry ranks in a metric; None where it has none."""
    return None if key in entry.not_ranked else entry.values.get(key)


def measured(entry: LeaderboardEntry, key: str) -> Mapping[str, Any]:
    """Return an entry's value in a metric, with its interval, as figures have it."""
    low, high = intervals_of(entry).get(key, (None, None))
    return {
        "entry_id": entry.entry_id,
        "model_name": entry.model_name,
        "organization": entry.organization,
        "value": entry.values[key],
        "low": low,
        "high": high,
    }


def _steps(by_day: Sequence[LeaderboardEntry], key: str) -> Iterator[BestStep]:
    """Yield the values above all before them; of a day's equal ones that of the better rank."""
    best: float | None = None
    found = ((entry, ranking_value(entry, key)) for entry in by_day)
    known = [(entry, value) for entry, value in found if value is not None]
    for day, entries in groupby(known, key=lambda each: each[0].submitted_on):
        entry, value = max(entries, key=lambda each: each[1])
        if best is None or value > best:
            best = value
            yield BestStep(submitted_on=day, **measured(entry, key))


def over_time_csv(found: BestOverTime) -> str:
    """Return the steps of all metrics, one a line."""
    return table(
        _CSV_COLUMNS,
        (
            (
                metric.metric, step.submitted_on.isoformat(), step.value, step.low, step.high,
                step.model_name, step.organization, str(step.entry_id),
            )
            for metric in found.metrics
            for step in metric.steps
        ),
    )  # fmt: skip
