"""Re-reading: a job, like re-scoring, whose values come from kept replies and another parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.benchmark.tasks import Board
from medvid.judging.versions import JudgeVersion
from medvid.models.jobs import RescoreJobView
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import record
from services.gateway.admin.ground_truths import ground_truth_not_found
from services.gateway.admin.rescoring import Rescoring, subject, unfinished
from shared.runtime.errors import Conflict, NotFound
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "rereading.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rereading:
    """Starts jobs of re-reading; the rest of them is re-scoring's."""

    database: Database
    jobs: Rescoring

    async def start(
        self,
        action: AdminAction,
        *,
        parser: str,
        judge: str | None,
        board: Board | None,
        entry_ids: Sequence[UUID] | None,
    ) -> RescoreJobView:
        """Start a job: the replies of a judge version (None: the judge in force) by this parser.

        `judge` is the beginning of its hash. Raises NotFound, Conflict.
        """
        job_id = uuid4()
        try:
            async with transient_errors(), self.database.transaction() as transaction:
                connection = transaction.connection
                before, version = await _versions(connection, judge, parser)
                given = (job_id, version, before, action.who, action.why)
                if await connection.execute(_SQL["job_add"], *given) != "INSERT 0 1":
                    raise ground_truth_not_found()
                rows = await connection.fetch(
                    _SQL["items_add"], job_id, before, board,
                    list(entry_ids) if entry_ids else None,
                )  # fmt: skip
                if not rows or (entry_ids and len(rows) < len(set(entry_ids))):
                    raise _nothing_to_reread()
                after = {"judge_version": version, "from_judge_version": before,
                         "parser": parser, "entries": len(rows), "board": board}  # fmt: skip
                await record(transaction, action, "reread", subject(job_id, "reread"), after=after)
        except asyncpg.UniqueViolationError as error:
            raise unfinished() from error
        _log.info("reread_started", job_id=str(job_id), entries=len(rows), who=action.who)
        return await self.jobs.find(job_id)


async def _versions(connection: Connection, judge: str | None, parser: str) -> tuple[str, str]:
    """Return the version whose replies are read, and the one they are read into."""
    rows = await connection.fetch(_SQL["judge_version"], judge)
    if len(rows) != 1:
        count = "several judge versions begin" if rows else "no judge version begins"
        raise NotFound(
            "no judge is in force." if judge is None else f"{count} with {judge}.",
            fix="Name one by the beginning of its version, as entries show it.",
            code="judge_version_not_found",
        )
    facts = orjson.loads(rows[0]["facts"])
    if "members" in facts:
        raise Conflict(
            "that judge is a panel; only the replies of a single judge are read again.",
            fix="Set MEDVID_JUDGE_PARSER and start a succession: the panel's judges are asked "
            "again, and paid.",
            code="nothing_to_reread",
        )
    try:
        before = JudgeVersion.read(facts)
    except TypeError as error:  # of later code, or of none
        raise _nothing_to_reread() from error
    version = replace(before, parser=parser)
    if version == before:
        raise Conflict(
            f"that judge's replies are read by parser {parser} already.",
            fix="Name another parser (docs/judge-versions.md).",
            code="same_parser",
        )
    public = orjson.dumps(version.public()).decode()
    await connection.execute(_SQL["judge_version_add"], version.hash, public, rows[0]["is_stub"])
    return rows[0]["hash"], version.hash


def _nothing_to_reread() -> Conflict:
    return Conflict(
        "there is no entry whose replies could be read again, or not all that were named.",
        fix="Entries need values of that judge version, of a run that has ended.",
        code="nothing_to_reread",
    )
