"""A submission's events as a stream (SSE): what happened so far, then what happens, resumable.

The rows in the database are the truth and numbered; a hint of the bus only says to look sooner.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final
from uuid import UUID

from aiohttp import web
from aiohttp_sse import sse_response

from services.gateway.domain.slots import Slots
from services.gateway.judging_ports import JudgingStore, StoredEvent
from shared.runtime.errors import InvalidInput, Transient, Unavailable

_BATCH: Final = 200
_LARGEST_ID: Final = (1 << 63) - 1


class EventStreams:
    """The open streams of this process."""

    def __init__(
        self, store: JudgingStore, *, limit: int, per_address: int, poll_seconds: float
    ) -> None:
        self._store = store
        self._slots = Slots("event streams", total=limit, per_address=per_address)
        self._poll_seconds = poll_seconds
        self._woken: set[asyncio.Event] = set()
        self._stopping = False

    def hint(self, _: bytes = b"") -> None:
        """Look for news now (the bus said so)."""
        for woken in self._woken:
            woken.set()

    async def stop(self, _: web.Application | None = None) -> None:
        """End every stream; clients come back to another process, where they left off."""
        self._stopping = True
        self.hint()

    async def serve(
        self, request: web.Request, submission_id: UUID, address: str
    ) -> web.StreamResponse:
        """Send a submission's events to `address` until the client leaves or we stop."""
        with self._slots.taken(address):
            return await self._serve(request, submission_id)

    async def _serve(self, request: web.Request, submission_id: UUID) -> web.StreamResponse:
        last = last_event_id(request)
        if self._stopping:
            raise Unavailable("we are shutting down.", fix="Try again, or poll the status.")
        woken = asyncio.Event()
        self._woken.add(woken)
        try:
            async with sse_response(request) as response:
                with contextlib.suppress(ConnectionResetError, TimeoutError):
                    while response.is_connected() and not self._stopping:
                        woken.clear()
                        for event in await self._after(submission_id, last):
                            await response.send(event.data, id=str(event.id), event=event.kind)
                            last = event.id
                        await self._wait(woken)
            return response
        finally:
            self._woken.discard(woken)

    async def _after(self, submission_id: UUID, last: int) -> list[StoredEvent]:
        try:
            return list(await self._store.events_after(submission_id, last, _BATCH))
        except Transient:
            return []  # the stream stays, and looks again

    async def _wait(self, woken: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await woken.wait()


def last_event_id(request: web.Request) -> int:
    """Return where a client left off, 0 where it is new; raises InvalidInput."""
    given = request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return 0
    if not given.isascii() or not given.isdigit() or len(given) > 19 or int(given) > _LARGEST_ID:
        raise InvalidInput(
            "the Last-Event-ID is not one of ours.", fix="Send none.", code="invalid_query"
        )
    return int(given)
