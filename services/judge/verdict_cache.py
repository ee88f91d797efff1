"""The judge's SQL about verdicts: the permanent cache, and claims on what is being asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID, uuid4

import orjson
import structlog

from medvid.benchmark.tasks import ASPECTS
from services.judge.runs import Claims, Item, ItemKey, keys_apart
from services.judge.verdict import UNSCORED, Verdict
from shared.runtime.metrics import JUDGE_PAIRS
from shared.storage.database import TRANSIENT_ERRORS, Connection, Database
from shared.storage.queries import load_queries

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)
for _outcome in ("scored", *UNSCORED):  # exported from the start, or the first ones are missed
    JUDGE_PAIRS.labels(_outcome)


class VerdictCache:
    """Verdicts in Postgres, and claims that keep two replicas from asking for the same.

    This process is one holder of claims.

    `patience`: seconds for which a verdict stays in memory, and storing it is tried again, while
    the database does not answer: it was paid for.
    """

    def __init__(
        self, database: Database, *, claim_seconds: float, patience: float = 120.0
    ) -> None:
        self._database = database
        self._claim_seconds = claim_seconds
        self._patience = patience
        self._holder = uuid4()
        self._at_work: Counter[tuple[str, ItemKey]] = Counter()
        """What this process is asking for, or about to: only that is renewed."""

    async def claim(self, version: str, items: Sequence[Item]) -> Claims:
        """Claim items without scores that no other process has claimed.

        A claim whose answer was lost with the connection is not renewed and runs out.
        """
        keys = keys_apart([item.key for item in items])
        self._at_work.update((version, item.key) for item in items)
        taken: set[ItemKey] = set()
        known: set[ItemKey] | None = None
        try:
            rows = await self._database.pool.fetch(
                _SQL["claims_take"], version, *keys, self._holder, self._claim_seconds
            )
            taken = {(row["pair"], row["repeat"]) for row in rows}
            rows = await self._database.pool.fetch(_SQL["verdicts_of"], version, *keys)
            known = {(row["pair"], row["repeat"]) for row in rows}
        finally:
            mine = taken if known is not None else set()
            self._forget(version, [item for item in items if item.key not in mine])
        needless = [item for item in items if item.key in taken and item.key in known]
        if needless:
            await self.release(version, needless)
        busy = [item for item in items if item.key not in taken and item.key not in known]
        return Claims(
            taken=[item for item in items if item.key in taken and item.key not in known],
            known=[item for item in items if item.key in known],
            busy=busy,
            at_provider=bool(busy)
            and await self._database.pool.fetchval(
                _SQL["at_provider"], version, *keys_apart([item.key for item in busy])
            ),
        )

    async def save(self, version: str, item: Item, verdict: Verdict) -> None:
        """Store a verdict and release its claim; one with scores is never replaced."""
        deadline = asyncio.get_running_loop().time() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                async with self._database.pool.acquire() as connection:
                    await save_verdict(connection, version, item.key, verdict, self._holder)
            except TRANSIENT_ERRORS as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                _log.warning("verdict_waits_for_database", error=str(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._forget(version, [item])
                count_verdict(verdict)
                return

    async def release(self, version: str, items: Collection[Item]) -> None:
        """Release claims that came to nothing; if the database fails they run out."""
        self._forget(version, items)
        try:
            await self._database.pool.execute(
                _SQL["claims_release"],
                version,
                *keys_apart([item.key for item in items]),
                self._holder,
            )
        except TRANSIENT_ERRORS as error:
            _log.warning("claims_not_released", error=str(error))

    async def keep_claims(self) -> None:
        """Renew this process's claims until cancelled, and drop those that ran out long ago."""
        while True:
            await asyncio.sleep(self._claim_seconds / 4)
            try:
                await self._renew()
                await self._database.pool.execute(_SQL["claims_expired"])
            except TRANSIENT_ERRORS as error:
                _log.warning("claims_not_renewed", error=str(error))

    async def _renew(self) -> None:
        held = list(self._at_work)
        await self._database.pool.execute(
            _SQL["claims_renew"],
            self._holder,
            self._claim_seconds,
            [version for version, _ in held],
            [pair for _, (pair, _) in held],
            [repeat for _, (_, repeat) in held],
        )

    def _forget(self, version: str, items: Collection[Item]) -> None:
        """Note that this process no longer asks for these."""
        for item in items:
            key = version, item.key
            self._at_work[key] -= 1
            if self._at_work[key] <= 0:
                del self._at_work[key]


def count_verdict(verdict: Verdict) -> None:
    """Export that a verdict was stored."""
    JUDGE_PAIRS.labels("scored" if verdict.scores else verdict.unscored_reason or "unknown").inc()


async def save_verdict(
    connection: Connection, version: str, key: ItemKey, verdict: Verdict, holder: UUID | None = None
) -> None:
    """Store a verdict, unless there is one with scores, and release the holder's claim."""
    scores = [verdict.scores[aspect] for aspect in ASPECTS] if verdict.scores else None
    await connection.execute(
        _SQL["verdict_save"],
        version,
        *key,
        scores,
        None if scores else verdict.unscored_reason or "unknown",
        verdict.detail.replace("\0", "") or None,
        verdict.raw_reply.encode("utf-8", "surrogatepass"),
        verdict.model.replace("\0", "") or None,
        verdict.used.prompt,
        verdict.used.completion,
        verdict.latency_seconds * 1000,
        verdict.attempts,
        verdict.cost_microusd,
        holder,
        verdict.reply_form,
        orjson.dumps(verdict.served_by).decode() if verdict.served_by else None,
        verdict.is_confirmed,
        verdict.rationale,
        verdict.used.cached,
        verdict.used.reasoning,
    )
