"""Attacks with views of boards: who asks for many waits for them, or is refused; others are not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, row, running_gateway
from tests.depth import deep

BOARD = "/api/v1/leaderboards/community"
ROWS = 800


async def with_board(gateway: Gateway) -> None:
    revision = await gateway.rank("community", [row(n + 1) for n in range(ROWS)], hint=True)
    await gateway.shown("community", revision)


async def read(gateway: Gateway, address: str, path: str) -> tuple[int, Mapping[str, str], bytes]:
    return await gateway.get(path, X_Forwarded_For=address)


async def test_a_hundred_views_of_one_address_hold_up_no_other(database: Database) -> None:
    changes = {"trusted_proxies": "127.0.0.0/8", "views_waiting": 8, "views_waiting_per_address": 6}
    async with running_gateway(database, load=False, **changes) as gateway:
        await with_board(gateway)
        attack = [
            asyncio.create_task(read(gateway, "203.0.113.9", f"/community?sort=date&q=m{number}"))
            for number in range(100)
        ]
        await asyncio.wait(attack, return_when=asyncio.FIRST_COMPLETED)
        search, ready, api = await asyncio.gather(
            read(gateway, "198.51.100.7", "/community?q=model+7"),
            read(gateway, "203.0.113.9", "/community"),
            read(gateway, "203.0.113.9", BOARD),
        )
        assert (search[0], ready[0], api[0]) == (200, 200, 200)
        answers = await asyncio.gather(*attack)
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {200, 503}
        assert 1 + 6 <= statuses.count(200) < 100
        for status, headers, body in answers:
            if status == 503:
                assert 1 <= int(headers["Retry-After"]) <= 10
                assert b"too many views of boards" in body.lower()
        again = await read(gateway, "203.0.113.9", "/community?sort=date&q=m99")
        assert again[0] == 200


@deep
async def test_the_api_refuses_with_a_problem_that_says_when_to_come_back(
    database: Database,
) -> None:
    async with running_gateway(database, load=False, views_waiting=2) as gateway:
        await with_board(gateway)
        paths = [f"{BOARD}.csv?limit={number}" for number in range(500, 600)]
        answers = await asyncio.gather(*(gateway.get(path) for path in paths))
        refused = [
            (headers, orjson.loads(body)) for status, headers, body in answers if status != 200
        ]
        assert 0 < len(refused) < 100
        assert {problem["code"] for _, problem in refused} == {"unavailable"}
        assert {headers["Retry-After"] for headers, _ in refused} == {"2"}
