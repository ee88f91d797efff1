"""Ends provider batches at endpoints that no judge has any more, as their address was changed.

Nobody can fetch what they answer. What was not submitted goes another way at once; the rest is
waited for like any other, as the address may come back, and then counts as lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.judge.batch_answers import AnswerSettler
from services.judge.provider_batches import HeldBatch, NotHeld, ProviderBatches

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StrayBatches:
    """Those that are at none of `endpoints`, which this replica looks after itself."""

    rows: ProviderBatches
    settler: AnswerSettler
    endpoints: Sequence[str]

    async def look(self) -> None:
        """End every batch that nobody can take further."""
        while await self._end_one():
            pass

    async def _end_one(self) -> bool:
        try:
            async with self.rows.taken_stray(self.endpoints) as batch:
                if batch is None:
                    return False
                await self._end(batch)
        except NotHeld as lost:
            _log.warning("provider_batch_not_held", error=str(lost))
        return True

    async def _end(self, batch: HeldBatch) -> None:
        _log.warning(
            "provider_batch_is_nobodys",
            provider_batch=str(batch.id),
            endpoint=batch.endpoint,
            state=batch.state,
            provider_id=batch.provider_id or "",
        )
        if batch.state == "deleting":
            await self.rows.put(batch, "done")
        else:
            was_asked = batch.state not in ("planned", "uploaded")
            await self.settler.let_go(batch, "lost" if was_asked else "abandoned")
