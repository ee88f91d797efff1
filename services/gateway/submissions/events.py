"""A submission's events as a stream (SSE): what happened so far, then what happens, resumable.

The rows in the database are the truth and numbered; a hint of the bus only says to look sooner. One
look tells for all streams of this process which submissions have news, and streams that want the
same rows share one read of them, so the number of streams hardly matters to the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from services.gateway.web.event_streams import last_event_id, wait
from services.gateway.web.middleware import stream_headers
from services.gateway.web.slots import Slots
from shared.runtime.errors import Transient, Unavailable
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """Something that happened to a submission; `data` is JSON."""

    id: int
    kind: str
    data: str
    at: datetime


class EventSource(Protocol):
    """Numbered events in the order in which they happened. Raises Transient."""

    async def newest_events(self, submission_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the number of the newest event of each submission that has any."""

    async def events_after(
        self, submission_id: UUID, event_id: int, limit: int
    ) -> Sequence[StoredEvent]:
        """Return what happened to a submission after an event, oldest first."""


@dataclass(frozen=True, slots=True)
class SubmissionEvents:
    """The events in the database: an EventSource."""

    database: Database

    async def newest_events(self, submission_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the number of the newest event of each submission that has any."""
        async with transient_errors():
            rows = await self.database.pool.fetch(_SQL["events_newest"], submission_ids)
        return {row["submission_id"]: row["newest"] for row in rows}

    async def events_after(
        self, submission_id: UUID, event_id: int, limit: int
    ) -> Sequence[StoredEvent]:
        """Return what happened to a submission after an event, oldest first."""
        async with transient_errors():
            rows = await self.database.pool.fetch(
                _SQL["events_after"], submission_id, event_id, limit
            )
        return [StoredEvent(**row) for row in rows]


@dataclass(slots=True, eq=False)
class _Stream:
    """An open stream: what it watches, the last event it sent, whether there may be more."""

    submission_id: UUID
    last: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class EventStreams:
    """The open streams of this process."""

    def __init__(
        self, events: EventSource, *, limit: int, per_address: int, poll_seconds: float
    ) -> None:
        self._events = events
        self._slots = Slots("event streams", total=limit, per_address=per_address)
        self._poll_seconds = poll_seconds
        self._open: set[_Stream] = set()
        self._reads: dict[tuple[int, UUID, int], asyncio.Task[Sequence[StoredEvent]]] = {}
        self._looks = 0
        self._hinted = asyncio.Event()
        self._stopping = False

    def hint(self, _: bytes = b"") -> None:
        """Look for news now (the bus said so)."""
        self._hinted.set()

    async def stop(self, _: web.Application | None = None) -> None:
        """End every stream; clients come back to another process, where they left off."""
        self._stopping = True
        for stream in self._open:
            stream.woken.set()

    async def keep_current(self) -> None:
        """Look for news at every hint, and now and then without one, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._hinted.wait()
            self._hinted.clear()
            if self._open:
                with contextlib.suppress(Transient):  # the streams stay, and we look again
                    await self._look()

    async def _look(self) -> None:
        watched = {stream.submission_id for stream in self._open}
        newest = await self._events.newest_events(list(watched))
        self._looks += 1
        for stream in self._open:
            if newest.get(stream.submission_id, 0) > stream.last:
                stream.woken.set()

    async def serve(
        self, request: web.Request, submission_id: UUID, address: str
    ) -> web.StreamResponse:
        """Send a submission's events to `address` until the client leaves or we stop."""
        with self._slots.taken(address):
            return await self._serve(request, submission_id)

    async def _serve(self, request: web.Request, submission_id: UUID) -> web.StreamResponse:
        stream = _Stream(submission_id, last_event_id(request) or 0)
        if self._stopping:
            raise Unavailable("we are shutting down.", fix="Try again, or poll the status.")
        self._open.add(stream)  # before the first read, so that no news falls in between
        stream.woken.set()
        try:
            async with sse_response(request, headers=stream_headers(request)) as response:
                with contextlib.suppress(ConnectionResetError, TimeoutError):
                    while response.is_connected() and not self._stopping:
                        await wait(stream.woken)
                        if stream.woken.is_set():
                            stream.woken.clear()
                            await self._send(response, stream)
            return response
        finally:
            self._open.discard(stream)

    async def _send(self, response: EventSourceResponse, stream: _Stream) -> None:
        while found := await self._after(stream):
            for event in found:
                await response.send(event.data, id=str(event.id), event=event.kind)
                stream.last = event.id
            if len(found) < _BATCH:
                return

    async def _after(self, stream: _Stream) -> Sequence[StoredEvent]:
        """Return what comes next on a stream.

        Only a read since the latest look is shared: an older one may miss what that look saw.
        """
        key = (self._looks, stream.submission_id, stream.last)
        read = self._reads.get(key)
        if read is None:
            read = asyncio.create_task(
                self._events.events_after(stream.submission_id, stream.last, _BATCH)
            )
            self._reads[key] = read
            read.add_done_callback(lambda _: self._reads.pop(key, None))
        try:
            return await asyncio.shield(read)
        except Transient:
            return []  # the stream stays; the next look finds it behind
