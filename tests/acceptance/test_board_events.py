"""A board's event stream: news at once, nothing that is known, bounded, ended at shutdown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, row, running_gateway
from tests.patience import HANG_SECONDS

EVENTS = "/api/v1/leaderboards/community/events"


@asynccontextmanager
async def stream(
    gateway: Gateway, path: str = EVENTS, **headers: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    timeout = aiohttp.ClientTimeout(total=30)
    async with gateway.client.get(path, headers=given, timeout=timeout) as response:
        yield response


async def next_event(response: aiohttp.ClientResponse) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    async for line in response.content:
        text = line.decode().strip()
        if not text and "data" in fields:
            return {**fields, "data": json.loads(fields["data"])}
        name, colon, value = text.partition(": ")
        if colon and name:
            fields[name] = value
    return fields


async def test_a_new_stream_sends_the_present_and_then_every_change(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        first = await gateway.rank("community", [row(1)], hint=False)
        await gateway.shown("community", first)
        async with stream(gateway) as response:
            assert response.content_type == "text/event-stream"
            event = await next_event(response)
            assert event["event"] == "board"
            snapshot = (await gateway.shown("community", first))["snapshot"]
            assert event["data"] == {
                "board": "community",
                "revision": first,
                "entries": 1,
                "snapshots": {"compat": snapshot, "strict": None},
                "statistics": {"compat": False, "strict": False},
            }
            second = await gateway.rank("community", [row(1), row(2)], hint=False)
            event = await next_event(response)
            assert (event["id"], event["data"]["entries"]) == (str(second), 2)
            board = await gateway.shown("community", second)  # what is told is served already
            assert len(board["entries"]) == 2
        async with stream(gateway, Last_Event_ID=str(first)) as response:
            assert (await next_event(response))["id"] == str(second)


async def test_nothing_is_sent_that_is_known(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        first = await gateway.rank("community", [row(1)], hint=False)
        await gateway.shown("community", first)
        async with stream(gateway, Last_Event_ID=str(first)) as response:
            second = await gateway.rank("community", [row(1), row(2)], hint=False)
            assert (await next_event(response))["id"] == str(second)


async def test_many_listen_and_all_of_them_hear(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:

        async def listen(ready: asyncio.Event) -> str:
            async with stream(gateway) as response:
                await next_event(response)
                ready.set()
                return str((await next_event(response))["id"])

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(gateway.url, connector=connector) as gateway.client:
            ready = [asyncio.Event() for _ in range(40)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(listen(event)) for event in ready]
                await asyncio.gather(*(event.wait() for event in ready))
                revision = await gateway.rank("community", [row(1)], hint=False)
            assert {task.result() for task in tasks} == {str(revision)}


async def test_streams_are_bounded_and_a_place_is_free_again(database: Database) -> None:
    async with running_gateway(database, load=False, board_streams=1) as gateway:
        async with stream(gateway) as response:
            assert response.status == 200
            async with stream(gateway) as refused:
                assert refused.status == 503
                assert (await refused.json(content_type=None))["code"] == "unavailable"
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                async with stream(gateway) as response:
                    if response.status == 200:
                        break
                await asyncio.sleep(0.05)


async def test_one_address_keeps_no_other_from_listening(database: Database) -> None:
    changes = {"load": False, "board_streams": 3, "trusted_proxies": "127.0.0.0/8"}
    async with running_gateway(database, **changes) as gateway, AsyncExitStack() as stack:
        held = [
            await stack.enter_async_context(stream(gateway, X_Forwarded_For="203.0.113.9"))
            for _ in range(3)
        ]
        assert [response.status for response in held] == [200] * 3
        async with stream(gateway, X_Forwarded_For="203.0.113.9") as refused:
            assert refused.status == 503
        first = await stack.enter_async_context(stream(gateway, X_Forwarded_For="198.51.100.7"))
        assert (first.status, (await next_event(first))["event"]) == (200, "board")
        async with asyncio.timeout(HANG_SECONDS):  # the newest of the greedy one's ends
            await held[2].content.read()
        other = await stack.enter_async_context(stream(gateway, X_Forwarded_For="192.0.2.1"))
        assert other.status == 200
        # One place each: nobody gives one up any more.
        for address in ("203.0.113.9", "198.51.100.7", "192.0.2.99"):
            async with stream(gateway, X_Forwarded_For=address) as refused:
                assert refused.status == 503


async def test_unknown_boards_and_ids_that_are_none_are_refused(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        async with stream(gateway, "/api/v1/leaderboards/other/events") as response:
            assert response.status == 404
        async with stream(gateway, Last_Event_ID="x") as response:
            assert response.status == 400


async def test_a_stream_ends_when_the_gateway_does(database: Database) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        async with running_gateway(database, load=False, drain_seconds=15.0) as gateway:
            response = await gateway.client.get(EVENTS)
            await next_event(response)
            ending = asyncio.create_task(response.content.read())
        await asyncio.wait([ending])
