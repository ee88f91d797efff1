"""The operator's commands from the command line down: what they print, and how they end."""

from __future__ import annotations

import asyncio
import json
from tempfile import TemporaryFile

import aio_pika
import pytest

from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.topology import JUDGE_BATCHES
from shared.storage.database import Database
from tests.preloaded import fork


def medvid(*arguments: str) -> tuple[int, str]:
    """Run a command as a process; returns its exit status and all that it printed."""
    with TemporaryFile() as said:
        status = fork("medvid", "admin", *arguments, stdout=said, stderr=said).ended()
        said.seek(0)
        return status, said.read().decode()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    monkeypatch.setenv("MEDVID_DATABASE_URL", postgres_url)
    monkeypatch.delenv("MEDVID_RABBITMQ_URL", raising=False)


@pytest.mark.usefixtures("installed")
def test_a_notice_is_shown_unless_it_is_too_long() -> None:
    assert medvid("notice", "The judge is late.") == (0, "The notice is shown on /status.\n")
    status, said = medvid("notice", "x" * 1001)
    assert (status, "1001 characters" in said) == (1, True)


@pytest.mark.usefixtures("installed")
def test_a_dry_run_tells_what_would_go() -> None:
    status, would = medvid("prune", "--dry-run")
    assert status == 0
    assert "MEDVID_KEEP_OUTBOX_DAYS" in would
    assert "older than 7 days" in would


@pytest.mark.usefixtures("installed")
def test_without_a_broker_there_are_no_queues_to_rebuild() -> None:
    status, said = medvid("rebuild-queues")
    assert status == 1
    assert "MEDVID_RABBITMQ_URL" in said


async def other_settings(url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(JUDGE_BATCHES.name, durable=True)
        body = aio_pika.Message(b"{}")
        await channel.default_exchange.publish(body, JUDGE_BATCHES.name)


@pytest.fixture
async def a_changed_queue(rabbit_url: str) -> str:
    await other_settings(rabbit_url)
    return rabbit_url


@pytest.mark.usefixtures("installed")
async def test_queues_are_rebuilt(a_changed_queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDVID_RABBITMQ_URL", a_changed_queue)
    status, said = await asyncio.to_thread(medvid, "rebuild-queues")
    assert (status, said) == (0, f"{JUDGE_BATCHES.name}: rebuilt with 1 messages.\n")
    await (await connect_rabbit(a_changed_queue)).close()


@pytest.mark.usefixtures("installed")
async def test_the_doctor_ends_by_what_it_found(database: Database) -> None:
    status, said = await asyncio.to_thread(medvid, "doctor", "--json")
    report = json.loads(said)
    assert (status, report["ok"]) == (1, False)
    wrong = {one["check"] for one in report["findings"] if one["state"] == "failed"}
    assert "ground truth" in wrong
    assert all(one["fix"] for one in report["findings"] if one["state"] == "failed")
    assert await database.pool.fetchval("SELECT count(*) FROM ground_truths") == 0
