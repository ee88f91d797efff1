"""Event streams: each hears of everything once and in order, and they share their reads."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aiohttp import ClientSession, web

from services.gateway.submissions.events import EventStreams, StoredEvent
from services.gateway.web.middleware import boundary
from tests.patience import HANG_SECONDS

STREAMS = 40
NOW = datetime.now(UTC)


class Events:
    """Events in memory, read as slowly and unevenly as a database under load does."""

    def __init__(self) -> None:
        self.stored: dict[UUID, list[StoredEvent]] = {}
        self.reads = 0
        self._random = random.Random(5)  # noqa: S311 - unevenness, no secret

    def add(self, submission: UUID) -> None:
        events = self.stored.setdefault(submission, [])
        events.append(StoredEvent(len(events) + 1, "progress", "{}", NOW))

    async def newest_events(self, submission_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        found = {each: len(self.stored.get(each, ())) for each in submission_ids}
        await self._pause()
        return found

    async def events_after(
        self, submission_id: UUID, event_id: int, limit: int
    ) -> Sequence[StoredEvent]:
        self.reads += 1
        await self._pause()
        found = list(self.stored.get(submission_id, ())[event_id : event_id + limit])
        await self._pause()
        return found

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.004))


@asynccontextmanager
async def serving(events: Events) -> AsyncIterator[tuple[EventStreams, ClientSession]]:
    """Serve streams that are never looked at but for hints: a lost one would show."""
    streams = EventStreams(events, limit=STREAMS, per_address=STREAMS, poll_seconds=3600)

    async def serve(request: web.Request) -> web.StreamResponse:
        return await streams.serve(request, UUID(request.match_info["id"]), "here")

    app = web.Application()
    app.add_routes([web.get("/{id}", boundary(serve, str))])
    app.on_shutdown.append(streams.stop)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    looking = asyncio.create_task(streams.keep_current())
    try:
        async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            yield streams, client
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        await runner.cleanup()


async def heard(client: ClientSession, submission: UUID, number: int, **headers: str) -> list[int]:
    """Read so many events and return their ids."""
    ids: list[int] = []
    given: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
    async with asyncio.timeout(HANG_SECONDS), client.get(f"/{submission}", headers=given) as stream:
        async for line in stream.content:
            if line.startswith(b"id: "):
                ids.append(int(line[4:]))
            if len(ids) == number:
                break
    return ids


async def test_every_stream_hears_of_every_event_once_and_in_order() -> None:
    events = Events()
    submissions = [uuid4() for _ in range(3)]
    async with serving(events) as (streams, client), asyncio.TaskGroup() as group:
        listening = [
            group.create_task(heard(client, submissions[n % 3], 30)) for n in range(STREAMS)
        ]
        for number in range(90):
            events.add(submissions[number % 3])
            streams.hint()
            await asyncio.sleep(0.001 if number % 7 else 0.02)
    assert all(task.result() == list(range(1, 31)) for task in listening)


async def test_streams_on_one_submission_share_their_reads() -> None:
    events = Events()
    submission = uuid4()
    events.add(submission)
    async with serving(events) as (streams, client), asyncio.TaskGroup() as group:
        listening = [group.create_task(heard(client, submission, 3)) for _ in range(STREAMS)]
        async with asyncio.timeout(HANG_SECONDS):
            while len(streams._open) < STREAMS:  # noqa: SLF001 - there is no other sign of it
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # all have caught up
        before = events.reads
        for _ in range(2):
            events.add(submission)
            streams.hint()
            await asyncio.sleep(0.2)
    assert all(task.result() == [1, 2, 3] for task in listening)
    assert events.reads - before <= 4


async def test_a_stream_begins_behind_the_last_event_that_was_heard() -> None:
    events = Events()
    submission = uuid4()
    for _ in range(500):
        events.add(submission)
    async with serving(events) as (_, client):
        assert await heard(client, submission, 3, Last_Event_ID="497") == [498, 499, 500]
        assert await heard(client, submission, 500) == list(range(1, 501))
