"""Webhooks over HTTP: signed, told at least once whatever is killed, never to the inside."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from medvid.models.webhooks import WebhookEvent, WebhookHeaders
from services.gateway.webhooks.delivery import AttemptOutcome, Deliveries, DeliverWebhooks
from services.gateway.webhooks.rules import read_secret, show_secret
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, gateway_process, records, running_gateway
from tests.patience import HANG_SECONDS

ADMIN = "the-administrators-own-and-long-key"
ROOT = {"Authorization": f"Bearer {ADMIN}"}
FILE = orjson.dumps(records())
INSIDE = {
    "webhook_private_networks": True,
    "webhook_poll_seconds": 0.02,
    "webhook_retry_seconds": 0.02,
    "webhook_attempts": 3,
    "admin_key": ADMIN,
}


@dataclass
class Receiver:
    """A server that is told; `answers` are the statuses it gives, the last one for ever."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        headers = {"Location": f"{self.url}/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers, text="x" * 100)

    @property
    def kinds(self) -> list[str]:
        return [orjson.loads(body)["type"] for _, body in self.calls]


@asynccontextmanager
async def listening(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def receiver(*answers: int) -> AsyncIterator[Receiver]:
    told = Receiver()
    if answers:
        told.answers = list(answers)
    async with listening(told.handle) as url:
        told.url = url
        yield told


async def deliveries(
    gateway: Gateway, receipt: dict[str, Any], *states: str
) -> list[dict[str, Any]]:
    """Wait until the deliveries are in these states, newest first."""
    headers = {"Authorization": f"Bearer {receipt['owner_token']}"}
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            path = f"/api/v1/submissions/{receipt['id']}/webhook"
            _, _, body = await gateway.get(path, **headers)
            found: list[dict[str, Any]] = orjson.loads(body)["deliveries"]
            if [delivery["state"] for delivery in found] == list(states):
                return found
            await asyncio.sleep(0.02)


async def test_each_change_is_sent_signed(database: Database) -> None:
    async with receiver() as told, running_gateway(database, **INSIDE) as gateway:
        status, receipt = await gateway.submit(FILE, webhook_url=f"{told.url}/hook?a=b")
        assert status == 202
        await gateway.set_state(receipt["id"], "scored")
        await gateway.set_state(receipt["id"], "ranked")
        found = await deliveries(gateway, receipt, "delivered", "delivered")
        assert told.kinds == ["submission.scored", "submission.ranked"]
        secret = read_secret(receipt["webhook_secret"])
        assert secret is not None
        for (headers, body), delivery in zip(told.calls, reversed(found), strict=True):
            assert headers["Webhook-Id"] == delivery["id"]
            message = f"{delivery['id']}.{headers['Webhook-Timestamp']}.".encode() + body
            digest = hmac.new(secret, message, hashlib.sha256).digest()
            assert headers["Webhook-Signature"] == f"v1,{base64.b64encode(digest).decode()}"
            event = WebhookEvent.model_validate_json(body)  # as it is described
            assert str(event.data.submission_id) == receipt["id"]
            assert event.type == f"submission.{event.data.state}"
            WebhookHeaders.model_validate(headers)
            assert "aiohttp" not in headers["User-Agent"].lower()
        assert receipt["owner_token"] not in str(told.calls)


async def test_a_repeat_brings_the_same_secret_and_given_ones_are_used(database: Database) -> None:
    given = show_secret(b"k" * 32)
    async with receiver() as told, running_gateway(database, **INSIDE) as gateway:
        for fields in ({}, {"webhook_secret": given}):
            key = {"Idempotency-Key": f"mine {len(fields)}".replace(" ", "-")}
            same = {"model_name": f"again {len(fields)}", "webhook_url": told.url, **fields}
            first = await gateway.submit(FILE, headers=key, **same)
            assert first[0] == 202
            assert await gateway.submit(FILE, headers=key, **same) == first
        assert first[1]["webhook_secret"] == given


async def test_failures_are_tried_again_then_dead_and_visible(database: Database) -> None:
    async with receiver(500, 302, 404) as told, running_gateway(database, **INSIDE) as gateway:
        _, receipt = await gateway.submit(FILE, webhook_url=told.url)
        await gateway.set_state(receipt["id"], "scored")
        (dead,) = await deliveries(gateway, receipt, "dead")
        assert (dead["attempts"], dead["status"]) == (3, 404)
        assert dead["error"] == "the answer was 404."
        assert dead["next_attempt_at"] is None
        assert len(told.calls) == 3  # the redirect was not followed
        assert len({headers["Webhook-Id"] for headers, _ in told.calls}) == 1
        assert len({body for _, body in told.calls}) == 1
        path = "/api/v1/webhook-deliveries?state=dead"
        assert (await gateway.get(path))[0] == 401
        _, _, body = await gateway.get(path, **ROOT)
        assert [each["id"] for each in orjson.loads(body)["deliveries"]] == [dead["id"]]
        told.answers = [200]
        path = f"/api/v1/submissions/{receipt['id']}/webhook/redeliver"
        headers = {"Authorization": f"Bearer {receipt['owner_token']}"}
        async with gateway.client.post(path, headers=headers) as response:
            assert (response.status, await response.json()) == (202, {"revived": 1})
        await deliveries(gateway, receipt, "delivered")


async def test_who_is_gone_is_not_called_again(database: Database) -> None:
    async with receiver(410) as told, running_gateway(database, **INSIDE) as gateway:
        _, receipt = await gateway.submit(FILE, webhook_url=told.url)
        await gateway.set_state(receipt["id"], "scored")
        (dead,) = await deliveries(gateway, receipt, "dead")
        assert (dead["attempts"], len(told.calls)) == (1, 1)


async def test_a_slow_receiver_is_left_and_holds_up_nobody(database: Database) -> None:
    hold = asyncio.Event()

    async def stall(_: web.Request) -> web.StreamResponse:
        await hold.wait()
        return web.Response()

    async with (
        listening(stall) as slow,
        receiver() as told,
        running_gateway(database, **{**INSIDE, "webhook_seconds": 0.3}) as gateway,
    ):
        _, first = await gateway.submit(FILE, webhook_url=slow)
        _, second = await gateway.submit(FILE, webhook_url=told.url)
        for receipt in (first, second):
            await gateway.set_state(receipt["id"], "scored")
        await deliveries(gateway, second, "delivered")
        (dead,) = await deliveries(gateway, first, "dead")
        assert dead["error"] == "there was no answer in time."
        hold.set()


async def test_a_flood_of_headers_is_not_read(database: Database) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server, running_gateway(database, **INSIDE) as gateway:
        port = server.sockets[0].getsockname()[1]
        _, receipt = await gateway.submit(FILE, webhook_url=f"http://127.0.0.1:{port}/")
        await gateway.set_state(receipt["id"], "scored")
        (dead,) = await deliveries(gateway, receipt, "dead")
        assert dead["error"] == "the other side did not speak HTTP."


async def test_the_work_of_a_killed_gateway_is_taken_over(database: Database) -> None:
    quiet = {**INSIDE, "webhook_poll_seconds": 3600.0}
    async with receiver() as told, running_gateway(database, **quiet) as gateway:
        _, receipt = await gateway.submit(FILE, webhook_url=told.url)
        await gateway.set_state(receipt["id"], "scored")
        # A gateway took it and was killed before or after it had sent.
        killed = Deliveries(database, lease_seconds=3600)
        (taken,) = await killed.take_due(8)
        assert taken.attempt == 1
        assert list(await Deliveries(database, 1).take_due(8)) == []  # while its lease lasts
        await database.pool.execute("UPDATE webhook_deliveries SET leased_until = now()")
        async with running_gateway(database, load=False, **INSIDE):
            await deliveries(gateway, receipt, "delivered")
        assert told.kinds == ["submission.scored"]
        # The dead one's late word changes nothing.
        await killed.give_up(taken, AttemptOutcome(None, "late"))
        await deliveries(gateway, receipt, "delivered")


async def test_a_gateway_killed_in_the_middle_loses_nothing(
    database: Database, postgres_url: str, tmp_path: Path
) -> None:
    begun, hold = asyncio.Event(), asyncio.Event()
    calls: list[str] = []

    async def first_stalls(request: web.Request) -> web.StreamResponse:
        calls.append(request.headers["Webhook-Id"])
        begun.set()
        if len(calls) == 1:
            await hold.wait()
        return web.Response()

    settings = {"WEBHOOK_PRIVATE_NETWORKS": "true", "WEBHOOK_POLL_SECONDS": "0.02"}
    async with listening(first_stalls) as url, asyncio.timeout(HANG_SECONDS):
        log = tmp_path / "killed"
        async with gateway_process(database, postgres_url, log, settings) as (gateway, process):
            _, receipt = await gateway.submit(FILE, webhook_url=url)
            await gateway.set_state(receipt["id"], "scored")
            await begun.wait()
            process.kill()
            await process.wait()
        hold.set()
        row = await database.pool.fetchrow("SELECT state, attempts FROM webhook_deliveries")
        assert row is not None
        assert (row["state"], row["attempts"]) == ("waiting", 1)
        await database.pool.execute("UPDATE webhook_deliveries SET leased_until = now()")
        async with running_gateway(database, load=False, **INSIDE) as gateway:
            await deliveries(gateway, receipt, "delivered")
    assert len(calls) == 2
    assert len(set(calls)) == 1  # the receiver can tell that it was told before


async def test_rival_gateways_tell_each_event_once(database: Database) -> None:
    quiet = {**INSIDE, "webhook_poll_seconds": 3600.0}
    async with receiver() as told, running_gateway(database, **quiet) as gateway:
        receipts = [(await gateway.submit(FILE, webhook_url=told.url))[1] for _ in range(6)]
        for receipt in receipts:
            await gateway.set_state(receipt["id"], "scored")

        class Counting:
            async def send(self, _: str, body: bytes, headers: dict[str, str]) -> AttemptOutcome:
                told.calls.append((headers, body))
                await asyncio.sleep(0)
                return AttemptOutcome(200, None)

        store = Deliveries(database, lease_seconds=60)
        workers = [
            DeliverWebhooks(store, Counting(), attempts=3, first_seconds=1, poll_seconds=1)
            for _ in range(4)
        ]
        counts = await asyncio.gather(*(worker.deliver_due() for worker in workers))
        assert sum(counts) == 6
        assert len({headers["Webhook-Id"] for headers, _ in told.calls}) == len(told.calls) == 6


async def test_what_is_rolled_back_is_not_sent(database: Database) -> None:
    async with receiver() as told, running_gateway(database, **INSIDE) as gateway:
        _, receipt = await gateway.submit(FILE, webhook_url=told.url)
        connection = await database.pool.acquire()
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "UPDATE submissions SET state = 'scored' WHERE id = $1", UUID(receipt["id"])
        )
        await transaction.rollback()
        await database.pool.release(connection)
        await gateway.set_state(receipt["id"], "failed", code="x", reason="y")
        await deliveries(gateway, receipt, "delivered")
        assert told.kinds == ["submission.failed"]
