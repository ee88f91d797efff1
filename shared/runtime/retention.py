"""How long rows are kept, and pruning them in small batches.

Every rule has a setting in days. A batch is a transaction of its own that holds few locks for a
short time, and one process at a time prunes a table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Final

import asyncpg
import structlog
from pydantic import Field

from shared.runtime.errors import Unavailable
from shared.runtime.metrics import PRUNED_ROWS
from shared.runtime.settings import CommonSettings
from shared.storage.database import TRANSIENT_ERRORS, Connection, Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "retention.sql")
_BATCH: Final = 500
_BATCH_SECONDS: Final = 300.0
"""Finding rows among millions that stay takes a while, and locks none of them."""
_PAUSE_SECONDS: Final = 0.05
_BATCHES_AT_ONCE: Final = 200
"""Of each table in one round: the rest goes in the next, so that no round is long."""
_log = structlog.get_logger(__name__)

Days = Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)]


class RetentionSettings(CommonSettings):
    """How long things are kept, in days; 0 for ever."""

    keep_outbox_days: Days = Field(7, description="messages that are on the bus; 0 for ever")
    keep_inbox_days: Days = Field(
        30, description="ids of handled messages, by which repetitions are known; 0 for ever"
    )
    keep_payload_days: Days = Field(
        30, description="uploads of submissions that failed or left the board; 0 for ever"
    )
    keep_snapshot_days: Days = Field(
        30,
        description="every snapshot of a board; then one a day, after a year one a month; 0 for "
        "ever",
    )
    keep_raw_reply_days: Days = Field(
        365, description="the judge's replies word for word; their scores stay; 0 for ever"
    )
    keep_event_days: Days = Field(30, description="events of finished submissions; 0 for ever")
    keep_idempotency_key_days: Days = Field(
        7, description="keys by which a repeated request is known; 0 for ever"
    )
    keep_dead_letter_days: Days = Field(
        90, description="dead letters after they were replayed or discarded; 0 for ever"
    )
    keep_judging_days: Days = Field(
        365,
        description="pairs, captions and batches of judge runs that nothing shows any more; their "
        "verdicts stay, as they save the next call; 0 for ever",
    )
    keep_rank_history_days: Days = Field(
        0, description="every change of a rank; then those that a kept snapshot shows; 0 for ever"
    )
    keep_job_days: Days = Field(
        365, description="jobs that computed scores anew, after they ended; 0 for ever"
    )
    pack_text_days: Days = Field(
        90,
        description="the judge's replies and reasons in rows of their own; then packed, some "
        "hundred together; 0 never",
    )
    prune_seconds: Annotated[float, Field(gt=0)] = Field(
        3600, description="how often rows that are too old are pruned"
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of rows: `name` as in the SQL file, `setting` how many days they are kept.

    Rows that do not go (`goes` false) are stored another way. `never_with`: a rule that is not at
    work at the same time.
    """

    name: str
    setting: str
    what: str
    goes: bool = True
    never_with: str | None = None

    @property
    def doomed(self) -> str:
        """Return the query that finds its rows."""
        return _whole(_SQL[f"{self.name}_doomed"])

    @property
    def prune(self) -> str:
        """Return the statement that lets a batch of them go."""
        return _whole(_SQL[f"{self.name}_prune"].replace("/* doomed */", self.doomed))


def _whole(text: str) -> str:
    for part in ("disputed", "ranks"):
        text = text.replace(f"/* {part} */", _SQL[part])
    return text


RULES: Final = (
    Rule("outbox", "keep_outbox_days", "published messages"),
    Rule("inbox", "keep_inbox_days", "ids of handled messages"),
    Rule("payloads", "keep_payload_days", "uploads of submissions on no board"),
    Rule("replicates", "keep_payload_days", "replicates of entries on no board"),
    Rule("snapshots", "keep_snapshot_days", "old snapshots of boards, thinned"),
    Rule("raw_replies", "keep_raw_reply_days", "raw replies of the judge"),
    Rule("packed_replies", "keep_raw_reply_days", "packs of raw replies"),
    Rule("texts", "pack_text_days", "replies and reasons of the judge, packed", goes=False),
    Rule("run_pairs", "keep_judging_days", "pairs of judge runs that nothing shows"),
    Rule("run_batches", "keep_judging_days", "batches of such runs"),
    Rule(
        "captions",
        "keep_judging_days",
        "captions of pairs that no kept run has",
        never_with="run_pairs",
    ),
    Rule("rank_history", "keep_rank_history_days", "ranks that no kept snapshot shows"),
    Rule("job_items", "keep_job_days", "entries of jobs that ended"),
    Rule("jobs", "keep_job_days", "jobs that ended"),
    Rule("submission_events", "keep_event_days", "events of finished submissions"),
    Rule("idempotency_keys", "keep_idempotency_key_days", "idempotency keys"),
    Rule("dead_letters", "keep_dead_letter_days", "dead letters that were dealt with"),
)


@dataclass(frozen=True, slots=True)
class Pruner:
    """Deletes rows that are older than the settings say."""

    database: Database
    settings: RetentionSettings
    places: dict[str, str | None] = field(default_factory=dict)
    """How far each rule came in a table that mostly stays: the next round goes on from there."""

    async def due(self) -> AsyncIterator[tuple[Rule, float, int]]:
        """Yield each rule, the days it keeps (0 for ever) and how many rows would be deleted."""
        for rule in RULES:
            days = self._days(rule)
            count = 0
            if days:
                count = await self.database.pool.fetchval(
                    f"SELECT count(*) FROM ({rule.doomed}) AS doomed",  # noqa: S608 - a constant
                    *(days, None),
                    *((None,) if "$3" in rule.doomed else ()),
                    timeout=600,
                )
            yield rule, days, count

    async def prune(self, *, batches: int | None = None) -> dict[str, int]:
        """Prune each table by at most `batches`; returns how many rows went, or were packed.

        A table that another process is pruning is skipped. One that fails keeps none of the others
        from being pruned; raises Unavailable afterwards.
        """
        deleted: dict[str, int] = {}
        failed: dict[str, Exception] = {}
        for rule in RULES:
            days = self._days(rule)
            if not days:
                continue
            try:
                deleted[rule.name] = await self._prune(rule, days, batches)
            except (*TRANSIENT_ERRORS, asyncpg.PostgresError) as error:
                failed[rule.name] = error
        if failed:
            reasons = "; ".join(
                f"{name}: {type(error).__name__} {error}".rstrip() for name, error in failed.items()
            )
            raise Unavailable(
                f"not all was pruned ({reasons}).",
                fix="The next round tries it again; what went is gone.",
            ) from next(iter(failed.values()))
        return deleted

    async def prune_some(self) -> None:
        """Do one round, and log what it deleted."""
        deleted = {name: rows for name, rows in (await self.prune(batches=_BATCHES_AT_ONCE)).items()
                if rows}  # fmt: skip
        if deleted:
            _log.info("pruned", **deleted)

    async def _prune(self, rule: Rule, days: float, batches: int | None) -> int:
        deleted = 0
        while batches is None or batches > 0:
            before = self.places.get(rule.name)
            async with self.database.transaction() as transaction:
                if not await _is_alone(transaction.connection, rule):
                    return deleted
                rows, place = await _let_go(transaction.connection, rule, days, before)
            deleted += rows
            PRUNED_ROWS.labels(rule.name).inc(rows)
            self.places[rule.name] = place
            if place is None or (not rows and place == before):
                return deleted
            batches = None if batches is None else batches - 1
            await asyncio.sleep(_PAUSE_SECONDS)
        return deleted

    def _days(self, rule: Rule) -> float:
        days: float = getattr(self.settings, rule.setting)
        return days


async def _is_alone(connection: Connection, rule: Rule) -> bool:
    """Keep others from this rule until the transaction ends; False where one is at it."""
    for name in (rule.name, rule.never_with):
        if name is not None and not await connection.fetchval(_SQL["alone"], name):
            return False
    return True


async def _let_go(
    connection: Connection, rule: Rule, days: float, place: str | None
) -> tuple[int, str | None]:
    """Let a batch go that begins after a place; returns how many rows, and the place it came to.

    None is the end. Rules whose tables are found by age begin anew each time.
    """
    statement = rule.prune
    if "$3" in statement:
        row = await connection.fetchrow(statement, days, _BATCH, place, timeout=_BATCH_SECONDS)
        assert row is not None  # noqa: S101 - it counts
        return row["rows"], row["place"]
    status = await connection.execute(statement, days, _BATCH, timeout=_BATCH_SECONDS)
    rows = int(status.rpartition(" ")[2])
    return rows, "" if rows else None
