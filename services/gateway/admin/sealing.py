"""The sealed part of a snapshot, for an auditor who may hold the ground truth.

It is made of what is stored now, and only while that is what the snapshot's sealed hash binds. What
each record adds to a value is computed anew, one entry after another, in a process that ends after
it: the sentence encoder takes 300 MB.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from threadpoolctl import threadpool_limits

from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.scorecard import score
from medvid.benchmark.statistics.bootstrap import videos_of
from medvid.benchmark.tasks import ASPECTS, Board, Scoring
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.versions import JUDGED_VERSION, METRIC_VERSION, STATISTICS_VERSION
from medvid.evidence.canonical import canonical, sha256
from medvid.evidence.frames import END, framed
from medvid.evidence.links import replicates_digest
from medvid.evidence.records import records_of, verdicts_of
from medvid.evidence.sealed import (
    HASHES,
    SEALED,
    description_of,
    entry_file,
    sealed_entry,
    value_parts,
)
from medvid.judging.aggregate import contributions
from medvid.judging.panels import Panel
from medvid.judging.plans import unpack
from medvid.judging.verdicts import Verdict
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from shared.runtime.errors import Conflict, NotFound, Permanent, Unavailable
from shared.runtime.truth_workers import TruthWorkers, stored_predictions
from shared.runtime.workers import WorkerPool
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.ground_truths import truth_workers
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "sealing.sql")
_LOWEST_PRIORITY: Final = 19
_log = structlog.get_logger(__name__)
Row = Mapping[str, Any]
Rounds = Sequence[Mapping[int, Verdict]]


@dataclass(frozen=True, slots=True)
class ToSeal:
    """A snapshot whose sealed part can be made; `values` are its scores by entry and metric."""

    snapshot: int
    board: Board
    scoring: Scoring
    salt: bytes
    values: Sequence[Row]


class Sealing:
    """Makes sealed parts, one at a time. Methods raise Transient."""

    def __init__(self, database: Database, *, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._making = asyncio.Lock()

    async def begin(self, snapshot: int, action: AdminAction) -> ToSeal:
        """Write down who gets a sealed part; raises NotFound, Conflict, Unavailable."""
        if self._making.locked():
            raise Unavailable("another sealed part is being made.", fix="Try again later.")
        async with transient_errors(), self._database.transaction() as transaction:
            found = await _to_seal(transaction.connection, snapshot)
            about = {"entries": len({row["entry_id"] for row in found.values})}
            await record(
                transaction, action, "seal_evidence", Subject("snapshot", str(snapshot)),
                after=about,
            )  # fmt: skip
        _log.info("evidence_sealed", snapshot=snapshot, who=action.who)
        return found

    async def parts(self, found: ToSeal) -> AsyncIterator[bytes]:
        """Yield the archive, piece by piece."""
        async with self._making, _workers(self._database) as workers:
            listed = [(row["entry_id"], row["metric"], row["digest"]) for row in found.values]
            about = (found.board, found.scoring, found.snapshot, found.salt)
            described = description_of(*about, listed)
            hashes = {SEALED: sha256(described)}
            yield framed(SEALED, described)
            for entry, rows in groupby(found.values, key=lambda row: row["entry_id"]):
                content = await self._entry(workers, entry, found.scoring, list(rows))
                hashes[entry_file(entry)] = sha256(content)
                yield framed(entry_file(entry), content)
            yield framed(HASHES, canonical(hashes))
            yield END

    async def _entry(
        self, workers: TruthWorkers, entry: UUID, scoring: Scoring, rows: Sequence[Row]
    ) -> bytes:
        async with transient_errors():
            pool = self._database.pool
            stored = {
                row["metric"]: dict(row)
                for row in await pool.fetch(_SQL["sealed_replicates"], entry, scoring)
            }
            payload = await pool.fetchval(_SQL["sealed_payload"], rows[0]["submission_id"])
            run, rounds = await self._judged(rows)
        if any(row["digest"] != stored[row["metric"]]["digest"] for row in rows):
            raise Unavailable("the board changed while it was sealed.", fix="Try again.")
        records: dict[str, Any] = {}
        plan = run["plan"] if run else None
        for version, own in _by_version(rows):
            if payload is None and plan is None:
                break
            records |= await self._records(workers, version, payload, scoring, own, plan, rounds)
        return await asyncio.to_thread(_entry_json, entry, rows, stored, records, run, rounds)

    async def _judged(self, rows: Sequence[Row]) -> tuple[Row | None, Rounds]:
        """Return the run behind an entry's judged values, and its verdicts by round."""
        judges = {row["judge_version"] for row in rows if row["judge_version"]}
        if len(judges) != 1:
            return None, []
        judge, submission = judges.pop(), rows[0]["submission_id"]
        run = await self._database.pool.fetchrow(_SQL["sealed_run"], submission, judge)
        if run is None:
            return None, []
        panel = Panel.read(judge, orjson.loads(run["facts"]))
        if not panel.is_plain_mean:
            return None, []  # records give means of rounds, and no other values
        rounds: list[dict[int, Verdict]] = [{} for _ in range(len(panel.members) * run["repeats"])]
        for row in await self._database.pool.fetch(_SQL["sealed_verdicts"], run["id"], judge):
            scores = dict(zip(ASPECTS, row["scores"], strict=True))
            rounds[row["member"] * run["repeats"] + row["repeat"]][row["ordinal"]] = scores
        return dict(run), rounds

    async def _records(
        self,
        workers: TruthWorkers,
        version: str,
        payload: bytes | None,
        scoring: Scoring,
        rows: Sequence[Row],
        plan: bytes | None,
        rounds: Rounds,
    ) -> dict[str, Any]:
        """Return the records of values on one ground truth; nothing for a file that is gone."""
        metrics = [
            row["metric"]
            for row in rows
            if row["metric_version"] == (JUDGED_VERSION if row["judge_version"] else METRIC_VERSION)
        ]
        try:
            return await workers.run_or_give_up(
                "sealing", sealed_records, version, payload, scoring, metrics, plan, rounds,
                timeout=self._seconds,
            )  # fmt: skip
        except Permanent as error:
            _log.warning("evidence_without_records", reason=error.detail)
            return {}


@asynccontextmanager
async def _workers(database: Database) -> AsyncIterator[TruthWorkers]:
    pool = WorkerPool(1, name="sealer", initializer=_yield_to_others)
    try:
        yield truth_workers(database, pool)
    finally:
        await pool.close()


def _yield_to_others() -> None:
    """Run on one processor, and only when nobody else wants it."""
    os.nice(_LOWEST_PRIORITY)
    threadpool_limits(1)


async def _to_seal(connection: Connection, snapshot: int) -> ToSeal:
    row = await connection.fetchrow(_SQL["sealed_snapshot"], snapshot)
    if row is None:
        raise NotFound(
            f"there is no snapshot {snapshot}, or it is no longer kept.",
            fix="Boards name theirs in 'snapshot'.",
            code="snapshot_not_found",
        )
    values = await connection.fetch(
        _SQL["sealed_values"], row["board"], STATISTICS_VERSION, row["scoring"]
    )
    found = [(each["entry_id"].bytes, each["metric"], each["digest"]) for each in values]
    if row["salt"] is None or not found or replicates_digest(found) != row["replicates_sha256"]:
        raise Conflict(
            f"snapshot {snapshot} has no sealed part, or its replicates are no longer stored.",
            fix="Ask for the board's newest snapshot.",
            code="not_sealable",
        )
    return ToSeal(
        snapshot, row["board"], row["scoring"], row["salt"], [dict(each) for each in values]
    )


def _by_version(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    versions: dict[str, list[Row]] = {}
    for row in rows:
        versions.setdefault(row["ground_truth_version"], []).append(row)
    return [*versions.items()]


def sealed_records(
    test_set: TestSet,
    payload: bytes | None,
    scoring: Scoring,
    metrics: Sequence[str],
    plan: bytes | None,
    rounds: Rounds,
) -> dict[str, Any]:
    """Return what records add to each value; runs in a worker. Raises Permanent."""
    assert test_set.truth is not None  # noqa: S101 - made from a ground truth
    samples = test_set.truth.samples
    videos = videos_of(samples)
    found: dict[str, Any] = {}
    if payload is not None:
        card = score(samples, stored_predictions(payload, test_set), load_embedder())
        for metric, parts in card.contributions.items():
            found[metric] = records_of([parts[scoring]], *videos)
    if plan is not None:
        judged = [contributions(unpack(plan), verdicts, samples) for verdicts in rounds]
        for metric in judged[0] if judged else ():
            if all(metric in each for each in judged):
                found[metric] = records_of([each[metric] for each in judged], *videos)
    return {metric: own for metric, own in found.items() if metric in metrics}


def _entry_json(
    entry: UUID,
    rows: Sequence[Row],
    stored: Mapping[str, Row],
    records: Mapping[str, Any],
    run: Row | None,
    rounds: Rounds,
) -> bytes:
    values = [
        value_parts(
            row["metric"],
            row["ground_truth_version"],
            stored[row["metric"]]["replicates"],
            records.get(row["metric"]),
        )
        for row in rows
    ]
    return sealed_entry(entry, values, verdicts_of(unpack(run["plan"]), rounds) if run else None)
