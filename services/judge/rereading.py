"""Reads kept replies again with another parser, into another judge version beside the present one.

Nothing is asked and nothing is paid. An entry is one transaction: its verdicts, its values beside
those in force, its state. Each replica takes the next one that no other is at, so no message is
needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson
import structlog

from medvid.benchmark.tasks import ASPECTS
from medvid.benchmark.versions import JUDGED_VERSION
from medvid.judging.panels import Panel
from medvid.judging.rationale import Rationale, load_rationale
from medvid.judging.replies import InvalidReply, ReadVerdict, read_reply
from medvid.judging.results import RunOutcome, outcome
from services.judge.closing import verdicts_by_member
from services.judge.job_values import finish_job, locked_job, save_beside
from services.judge.replicates import judged_replicates
from shared.storage.database import TRANSIENT_ERRORS, Connection, Database, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import StoredReplicates

_SQL: Final = load_queries(__package__, "rereads.sql")
_JUDGE_SQL: Final = load_queries(__package__)
_READ_AGAIN: Final = "malformed"
"""The one reason for no scores that is about reading."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reread:
    """What another parser makes of one reply: a verdict, or why there is none."""

    verdict: ReadVerdict | None
    unscored: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ReplyReader:
    """Works off the entries of a job that is being read."""

    database: Database

    async def look(self) -> None:
        """Read every entry that waits."""
        while await self._read_one():
            pass
        for job in await self.database.pool.fetch(_SQL["jobs_read"]):
            async with self.database.transaction() as transaction:
                await locked_job(transaction.connection, job["id"])
                await finish_job(transaction, job["id"])

    async def _read_one(self) -> bool:
        async with self.database.transaction() as transaction:
            connection = transaction.connection
            item = await connection.fetchrow(_SQL["item_take"])
            if item is None:
                return False
            job_id, entry_id = str(item["job_id"]), str(item["entry_id"])
            try:
                async with connection.transaction():  # what fails leaves nothing
                    await _read(transaction, item)
            except TRANSIENT_ERRORS:
                raise
            except Exception as error:  # noqa: BLE001 - named, logged and settled
                # An entry that can never be read must not keep all others waiting.
                _log.exception("replies_not_read_again", job_id=job_id, entry_id=entry_id)
                await _fail(transaction, item, "not_readable", type(error).__name__)
            else:
                _log.info("replies_read_again", job_id=job_id, entry_id=entry_id)
        return True


async def _read(transaction: Transaction, item: asyncpg.Record) -> None:
    connection = transaction.connection
    rows = await connection.fetch(_SQL["replies"], item["run_id"], item["from_judge_version"])
    found = await asyncio.to_thread(_reread_all, rows, orjson.loads(item["facts"]))
    await _keep(connection, item, rows, found)
    result, replicates = await _values(connection, item)
    if result.publishable:
        await _settle(transaction, item, result, replicates)
    else:
        await _fail(transaction, item, "too_many_unscored", result.problem)


def _reread_all(rows: Sequence[asyncpg.Record], facts: dict[str, Any]) -> list[Reread]:
    rationale = load_rationale() if facts.get("rationale") else None
    return [reread(row, facts["parser"], rationale) for row in rows]


def reread(row: asyncpg.Record, parser: str, rationale: Rationale | None) -> Reread:
    """Read a row of `replies` with a parser; what was no matter of reading stays as it is."""
    if not row["is_scored"] and row["unscored"] != _READ_AGAIN:
        return Reread(None, row["unscored"], row["detail"])
    if row["raw_reply"] is None:
        return Reread(None, "not_kept", "its reply is not kept any more")
    reply = row["raw_reply"].decode("utf-8", "surrogatepass")
    try:
        verdict = read_reply(
            reply, finish_reason=None, refusal=None, rationale=rationale, parser=parser
        )
    except InvalidReply as error:
        return Reread(None, error.reason, error.detail)
    return Reread(verdict)


async def _keep(
    connection: Connection,
    item: asyncpg.Record,
    rows: Sequence[asyncpg.Record],
    found: Sequence[Reread],
) -> None:
    await connection.execute(
        _SQL["verdicts_put"],
        item["judge_version"],
        item["from_judge_version"],
        [row["pair"] for row in rows],
        [row["repeat"] for row in rows],
        [_scores(each) for each in found],
        [each.unscored for each in found],
        [each.detail for each in found],
        [each.verdict.rationale if each.verdict else None for each in found],
    )


def _scores(found: Reread) -> str | None:
    if found.verdict is None:
        return None
    return ",".join(str(found.verdict.scores[aspect]) for aspect in ASPECTS)


async def _values(
    connection: Connection, item: asyncpg.Record
) -> tuple[RunOutcome, list[StoredReplicates]]:
    """Return what the new verdicts come to: as of a run that is closed."""
    version = item["judge_version"]
    rows = await connection.fetch(_JUDGE_SQL["run_verdicts"], item["run_id"], version)
    given = (item["plan"], 1, item["repeats"], rows)
    plan, (rounds,) = await asyncio.to_thread(verdicts_by_member, *given)
    result = await asyncio.to_thread(outcome, plan, rounds)
    if not result.publishable:
        return result, []
    panel = Panel.read(version, orjson.loads(item["facts"]))
    found = await asyncio.to_thread(judged_replicates, plan, panel, [rounds], item["ground_truth"])
    valued = {metric.metric for metric in result.metrics if metric.value is not None}
    return result, [each for each in found if each.metric in valued]


async def _settle(
    transaction: Transaction,
    item: asyncpg.Record,
    result: RunOutcome,
    replicates: Sequence[StoredReplicates],
) -> None:
    """Put an entry's values beside those in force, unless its job was dropped since."""
    connection, place = transaction.connection, (item["job_id"], item["entry_id"])
    if (await locked_job(connection, item["job_id"]))["state"] != "reading":
        return  # the verdicts are true of their version in any case
    facts = orjson.dumps(result.facts).decode()
    await connection.execute(_SQL["item_read"], *place, JUDGED_VERSION, facts)
    await save_beside(connection, *place, result, replicates)
    await finish_job(transaction, item["job_id"])


async def _fail(transaction: Transaction, item: asyncpg.Record, code: str, reason: str) -> None:
    """Note that an entry cannot be read again; its values in force stay."""
    connection, job_id = transaction.connection, item["job_id"]
    await locked_job(connection, job_id)
    await connection.execute(_SQL["item_failed"], job_id, item["entry_id"], code, reason)
    await finish_job(transaction, job_id)
