"""Tries an endpoint's Batch API with a file of one line; its answer may come in a later try.

A try finds the batch of an earlier one with the same line on the same day, so that waiting for an
answer costs one line, however often it is asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from medvid.judging.batch_api import BatchApi, ProviderBatch
from medvid.judging.batch_lines import LineKey, read_files, write_files
from medvid.judging.calls import CallFailed, Completion
from medvid.judging.prompt import Form
from services.operate.findings import Finding

PATIENCE: Final = 60.0
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class BatchTry:
    """One line to try. `patience`: seconds to wait for its batch; `sent`: the line's texts."""

    api: BatchApi
    request: Mapping[str, Any]
    form: Form
    sent: str
    patience: float = PATIENCE

    async def __call__(self) -> tuple[list[Finding], Completion | None]:
        """Return what was found, and the answer where there is one already."""
        try:
            batch = await self._ended(await self._submitted())
            if batch.end is None:
                return [_under_way(batch)], None
            found = Finding("batch", "ok", f"it takes batches; {batch.id} is {batch.end}.")
            if batch.end != "completed":
                says = f"the batch {batch.id} is {batch.end}. {batch.errors}".strip()
                return [Finding("batch", "failed", says, "Try again; then ask the provider.")], None
            return await self._read(batch, found)
        except CallFailed as failure:
            fix = (
                "Not every provider takes batches (/v1/files, /v1/batches): see its documentation."
            )
            return [Finding("batch", "failed", f"{failure.said or failure.detail}.", fix)], None

    @property
    def _key(self) -> LineKey:
        return LineKey(sha256(self.sent.encode()).digest(), 0)

    async def _submitted(self) -> ProviderBatch:
        (file,) = write_files([(self._key, self.request)])
        day = datetime.now(UTC).date().isoformat()
        name = f"check-{day}-{sha256(file.content).hexdigest()[:16]}"
        known = await self.api.find(name)
        if known is not None and known.end in (None, "completed"):
            return known
        if known is not None:
            name = f"{name}-{uuid4().hex[:8]}"
        return await self.api.submit(await self.api.upload(name, file.content), name)

    async def _ended(self, batch: ProviderBatch) -> ProviderBatch:
        """Return the batch when it has ended, or when patience has."""
        until = time.monotonic() + self.patience
        while True:
            batch = await self.api.look(batch.id)
            if batch.end is not None or time.monotonic() + _LOOK_SECONDS > until:
                return batch
            await asyncio.sleep(_LOOK_SECONDS)

    async def _read(
        self, batch: ProviderBatch, found: Finding
    ) -> tuple[list[Finding], Completion | None]:
        files = [await self.api.read(name) for name in batch.outputs]
        answers = read_files(files, {self._key: self.sent}, self.form, now=datetime.now(UTC))
        completion = answers.answered.get(self._key)
        if completion is not None:
            return [found], completion
        failure = answers.failed.get(self._key)
        says = failure.detail if failure is not None else "the line was lost"
        return [found, Finding("line", "failed", f"{says}.", "Try without --batch first.")], None


def _under_way(batch: ProviderBatch) -> Finding:
    says = f"it takes batches; {batch.id} is under way ({batch.state})."
    return Finding("batch", "warning", says, "Run this again later today: it finds that batch.")
