"""The status page and its JSON, from a live gateway, and without a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape

import orjson
import pytest
from prometheus_client import REGISTRY

from medvid.models.judging import JudgeInForce
from medvid.models.status import Notice, Status
from services.gateway.boards.current import Boards
from services.gateway.boards.store import SnapshotStore
from services.gateway.pages.rendering import Pages
from services.gateway.status.rules import StatusLimits
from services.gateway.status.service import PostgresStatus, StatusReader, set_notice
from services.judge.ends import EndWatch
from services.judge.store import announce_judge
from shared.messaging.local import LocalBus
from shared.runtime.errors import Transient
from shared.runtime.figures import FiguresSample, Sampler, read_sample
from shared.storage.database import Database
from shared.storage.judge_service import judge_in_force
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.fakes.grader import version

LIMITS = StatusLimits(stale=70, slow=120, standing=900)


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database) as gateway:
        yield gateway


async def test_the_status_tells_what_waits_and_what_operators_say(
    gateway: Gateway, database: Database
) -> None:
    status, receipt = await gateway.submit(orjson.dumps(records()))
    assert status == 202
    await set_notice(database, "Judging is <b>late</b>:\nthe provider is down.")
    await Sampler(database, LocalBus(database), 10).refresh()
    status, headers, body = await gateway.get("/api/v1/status")
    answer = orjson.loads(body)
    assert (status, answer["state"]) == (200, "moving")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=2" in headers["Cache-Control"]
    scoring, ranking, judging = answer["stages"]
    assert (scoring["stage"], scoring["waiting"], scoring["state"]) == ("scoring", 1, "moving")
    assert scoring["oldest_seconds"] >= 0
    assert (ranking["state"], judging["state"]) == ("idle", "off")
    assert answer["notice"]["text"] == "Judging is <b>late</b>:\nthe provider is down."
    assert [board["board"] for board in answer["boards"]] == ["official", "community"]

    status, headers, body = await gateway.get("/status")
    page = body.decode()
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Everything is moving." in page
    assert "&lt;b&gt;late&lt;/b&gt;" in page
    assert receipt["id"] not in page


async def test_the_status_names_the_judge_and_its_end_or_why_nobody_judges(
    database: Database,
) -> None:
    now = 0.0
    pages = Pages()
    boards = Boards(SnapshotStore(database), pages.board, poll_seconds=60)
    reader = StatusReader(PostgresStatus(database), boards, pages.status, LIMITS, clock=lambda: now)

    async def shown() -> JudgeInForce:
        nonlocal now
        now += 10
        ready = await reader.ready()
        judge = Status.model_validate_json(ready.json.identity.body).judge
        assert judge is not None
        assert judge.says in unescape(ready.page.identity.body.decode())
        return judge

    await announce_judge(database, None, 1, off="no_model")
    judge = await shown()
    assert (judge.off, judge.says) == (
        "no_model", "Judging is off: no model is set for the judge."
    )  # fmt: skip
    await announce_judge(database, version(), 1)
    ends = datetime.now(UTC).date() + timedelta(days=30)
    await EndWatch(database, version().hash, ends, ()).say()
    judge = await shown()
    assert (judge.off, judge.model, judge.ends) == (None, version().model, ends)
    assert judge.says.endswith(f"takes it away on {ends}, in 30 days.")


async def test_answers_are_counted_by_class(gateway: Gateway) -> None:
    def counted(status: str) -> float:
        value = REGISTRY.get_sample_value("medvid_http_responses_total", {"status": status})
        assert value is not None
        return value

    before = {status: counted(status) for status in ("2xx", "4xx", "5xx")}
    for path in ("/api/v1/leaderboards/community", "/status", "/no-such-page", "/api/v1/none"):
        await gateway.get(path)
    assert {status: counted(status) - before[status] for status in before} == {
        "2xx": 2, "4xx": 2, "5xx": 0,
    }  # fmt: skip


async def test_a_notice_comes_and_goes(database: Database) -> None:
    async def shown() -> object:
        return await database.pool.fetchval("SELECT text FROM status_notice")

    await set_notice(database, "one")
    await set_notice(database, "two")
    assert await shown() == "two"
    await set_notice(database, None)
    assert await shown() is None


class FailingSource:
    """Answers once, then never again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fails = False
        self.asked = 0

    async def sample(self) -> FiguresSample:
        self.asked += 1
        if self.fails:
            raise Transient("the database is gone")
        return await read_sample(self._database)

    async def notice(self) -> Notice | None:
        return None

    async def judge(self) -> JudgeInForce:
        return await judge_in_force(self._database.pool)


async def test_without_a_database_the_status_becomes_unknown_and_still_answers(
    database: Database,
) -> None:
    now = 0.0
    source = FailingSource(database)
    pages = Pages()
    boards = Boards(SnapshotStore(database), pages.board, poll_seconds=60)
    reader = StatusReader(source, boards, pages.status, LIMITS, clock=lambda: now)
    await Sampler(database, LocalBus(database), 10).refresh()

    async def state() -> tuple[str, float]:
        answer = orjson.loads((await reader.ready()).json.identity.body)
        return answer["state"], answer["figures_age_seconds"]

    assert (await state())[0] == "moving"
    source.fails = True
    now = 30.0
    assert (await state())[0] == "moving", "half a minute old figures still tell something"
    now = 100.0
    name, age = await state()
    assert name == "unknown"
    assert age >= 100
    assert "cannot tell" in (await reader.ready()).page.identity.body.decode()


async def test_a_crowd_costs_one_look(database: Database) -> None:
    source = FailingSource(database)
    pages = Pages()
    boards = Boards(SnapshotStore(database), pages.board, poll_seconds=60)
    reader = StatusReader(source, boards, pages.status, LIMITS)
    await asyncio.gather(*(reader.ready() for _ in range(200)))
    assert source.asked == 1
