"""The leaders of a task, over all of the test set and within each source dataset. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from medvid.benchmark.disclosure import rounded, withheld_sources
from medvid.benchmark.tasks import METRICS, SOURCES, Scoring, Task
from medvid.models.boards import COLUMNS, Column, Leaderboard, LeaderboardEntry
from medvid.models.figures import MetricLeaders, SourceLeader, TaskLeader, TaskLeaders
from medvid.spreadsheets import table
from services.gateway.boards.over_time import measured, ranking_value, state_of
from shared.runtime.errors import NotFound

_LEADERS: Final = 10
_BySource = Mapping[str, float | None]
Row = Mapping[str, Any]
"""The stored score of an entry in a metric: `entry_id`, `metric`, `by_source` as JSON."""


def known_task(name: str) -> Task:
    """Return a task by its name; raises NotFound for an unknown one."""
    try:
        return Task(name)
    except ValueError:
        raise NotFound(
            f"there is no task {name[:40]!r}.",
            fix=f"Tasks are {', '.join(Task)}.",
            code="task_not_found",
        ) from None


def metrics_of(task: Task) -> list[str]:
    """Return the keys of the metrics that a task fills."""
    return [metric.key for metric in METRICS if metric.task == task]


def task_leaders(board: Leaderboard, task: Task, rows: Iterable[Row]) -> TaskLeaders:
    """Return a task's leaders; `rows` are the scores of the board's entries in its metrics."""
    sources: dict[str, dict[UUID, _BySource]] = {}
    for row in rows:
        shown = _shown_sources(orjson.loads(row["by_source"]), board.scoring)
        sources.setdefault(row["metric"], {})[row["entry_id"]] = shown
    return TaskLeaders(
        **state_of(board),
        task=task,
        metrics=[
            _leaders(board.entries, column, sources.get(column.key, {}))
            for column in COLUMNS
            if column.task == task
        ],
    )


def _shown_sources(parts: Mapping[str, Mapping[str, Any]], scoring: Scoring) -> _BySource:
    """Return a score's values by source, as an entry's own page shows them."""
    why = withheld_sources(None, parts)
    return {
        source: None if why[source] else rounded(parts[source].get(scoring))
        for source in sorted(parts, key=_place_of_source)
    }


def _place_of_source(source: str) -> tuple[int, str]:
    return SOURCES.index(source) if source in SOURCES else len(SOURCES), source


def _leaders(
    entries: Sequence[LeaderboardEntry], column: Column, sources: Mapping[UUID, _BySource]
) -> MetricLeaders:
    key = column.key
    ranked = [entry for entry in entries if ranking_value(entry, key) is not None]
    return MetricLeaders(
        column=column,
        models=len(ranked),
        leaders=[
            TaskLeader(
                **measured(entry, key),
                rank=entry.ranks[key],
                by_source=dict(sources.get(entry.entry_id, {})),
            )
            for entry in sorted(ranked, key=lambda entry: entry.ranks[key])[:_LEADERS]
        ],
        sources=_source_leaders(ranked, sources),
    )


def _source_leaders(
    ranked: Sequence[LeaderboardEntry], sources: Mapping[UUID, _BySource]
) -> list[SourceLeader]:
    found: dict[str, list[tuple[float, LeaderboardEntry]]] = {}
    for entry in ranked:
        for source, value in sources.get(entry.entry_id, {}).items():
            if value is not None:
                found.setdefault(source, []).append((value, entry))
    leaders = []
    for source in sorted(found, key=_place_of_source):
        value, entry = max(found[source], key=lambda each: each[0])  # the first of equal ones
        leaders.append(
            SourceLeader(
                source=source,
                models=len(found[source]),
                entry_id=entry.entry_id,
                model_name=entry.model_name,
                organization=entry.organization,
                value=value,
            )
        )
    return leaders


def task_leaders_csv(found: TaskLeaders) -> str:
    """Return the leaders of all metrics, one a line, with a column for each source."""
    names = {source for each in found.metrics for top in each.leaders for source in top.by_source}
    sources = sorted(names, key=_place_of_source)
    columns = ("metric", "rank", "model_name", "organization", "value", "low", "high", "entry_id")
    return table(
        (*columns, *sources),
        (
            (
                each.column.key, top.rank, top.model_name, top.organization, top.value, top.low,
                top.high, str(top.entry_id), *(top.by_source.get(source) for source in sources),
            )
            for each in found.metrics
            for top in each.leaders
        ),
    )  # fmt: skip
