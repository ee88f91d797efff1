"""What an owner is shown of a submission that is only evaluated: decided once, and written down.

Rankers of a board come one after the other, so two submissions of a key never both count as first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from medvid.benchmark.ladder import LadderAnswer, Rung, Steps, answer, to_step
from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.comparisons import Score
from medvid.benchmark.tasks import SCORINGS, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from services.ranker.board import Entry
from shared.storage.database import Connection
from shared.storage.queries import load_queries
from shared.storage.replicates import replicates_from

_SQL: Final = load_queries(__package__, "ladder.sql")
_VERSIONS: Final = ("ground_truth_version", "metric_version", "judge_version")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An entry as its owner sees it: `entry` has the values that are shown."""

    entry: Entry
    answers: Mapping[Scoring, Mapping[str, LadderAnswer]]


async def evaluate(connection: Connection, entry: Entry, steps: Steps) -> Evaluation:
    """Return what the owner of an entry is shown, and write down what is new in it."""
    rows = [
        row
        for row in await connection.fetch(_SQL["ladder_scores"], entry.entry_id, STATISTICS_VERSION)
        if row["metric"] not in entry.withheld
    ]
    key_id = rows[0]["key_id"] if rows else None
    earlier = []
    if key_id is not None:
        earlier = await connection.fetch(_SQL["ladder_rungs"], key_id, STATISTICS_VERSION)
    # In a thread: a key may have had answers about a hundred submissions.
    found = await asyncio.to_thread(_answers, rows, earlier, steps)
    if key_id is not None:
        for row, each in zip(rows, found, strict=True):
            await _write_down(connection, entry, row, each)
    answers: dict[Scoring, dict[str, LadderAnswer]] = {scoring: {} for scoring in SCORINGS}
    for row, each in zip(rows, found, strict=True):
        answers[row["scoring"]][row["metric"]] = each
    values = {
        scoring: {
            metric: answers[scoring][metric].shown if metric in answers[scoring] else None
            for metric in entry.values[scoring]
        }
        for scoring in SCORINGS
    }
    return Evaluation(replace(entry, values=values), answers)


def _answers(
    rows: Sequence[asyncpg.Record], earlier: Sequence[asyncpg.Record], steps: Steps
) -> list[LadderAnswer]:
    """Return the answer to each row."""
    rungs: dict[tuple[object, ...], list[Rung]] = defaultdict(list)
    for each in earlier:
        rungs[_series(each)].append(Rung(_score(each), each["shown"], each["step"]))
    found = []
    for row in rows:
        step = steps.of(row["metric"])
        if row["shown"] is not None:
            found.append(LadderAnswer(row["shown"], row["step"], is_new=not row["repeats"]))
        elif row["key_id"] is None or row["replicates"] is None:
            found.append(LadderAnswer(to_step(row["value"], step), step, is_new=True))
        else:
            found.append(answer(_score(row), rungs[_series(row)], step, row["asked"]))
    return found


async def _write_down(
    connection: Connection, entry: Entry, row: asyncpg.Record, shown: LadderAnswer
) -> None:
    if row["shown"] is not None or row["replicates"] is None:
        return
    series = [row[each] for each in _VERSIONS]
    await connection.execute(
        _SQL["ladder_answer_put"],
        entry.entry_id,
        row["metric"],
        row["scoring"],
        *series,
        shown.shown,
        shown.step,
        not shown.is_new,
    )
    if not shown.is_new:
        return
    ground_truth_version, metric_version, judge_version = series
    await connection.execute(
        _SQL["ladder_rung_add"],
        row["key_id"],
        row["metric"],
        row["scoring"],
        ground_truth_version,
        STATISTICS_VERSION,
        metric_version,
        judge_version,
        row["value"],
        row["replicates"],
        row["clusters"],
        shown.shown,
        shown.step,
    )


def _series(row: asyncpg.Record) -> tuple[object, ...]:
    """Return what values must share to be held against one another."""
    return (row["metric"], row["scoring"], *(row[each] for each in _VERSIONS))


def _score(row: asyncpg.Record) -> Score:
    return Score(row["value"], Estimate(replicates_from(row["replicates"]), row["clusters"]))
