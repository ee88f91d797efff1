"""Judging over HTTP: who may ask for it, what it answers, events, verdicts."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson

from medvid.benchmark.ground_truth import load_ground_truth
from services.judge.store import announce_judge
from services.judge.verdict import Waste
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, ground_truth, running_gateway
from tests.depth import deep
from tests.fakes.grader import FakeGrader, ungraded
from tests.judging import FIGURES, judging, replica
from tests.patience import HANG_SECONDS

ADMIN = "the-administrators-key-of-this-test"


def captions(first: str = "The grasper retracts the gallbladder.") -> bytes:
    """A submission whose first summary says what a test wants."""
    records = [
        {"id": sample.id, "qa_type": sample.qa_type, "prediction": f"a {sample.index}"}
        for sample in load_ground_truth(ground_truth()).samples
    ]
    summary = next(r for r in records if r["qa_type"].startswith("video_summary"))
    summary["prediction"] = first
    return gzip.compress(orjson.dumps(records))


@asynccontextmanager
async def api(
    database: Database, grader: FakeGrader | None = None, **changes: Any
) -> AsyncIterator[tuple[Gateway, FakeGrader]]:
    grader = grader or FakeGrader()
    await announce_judge(database, grader.version, 1)
    one = replica(database, grader, left=changes.pop("left", None))
    async with (
        running_gateway(database, admin_key=ADMIN, **changes) as gateway,
        judging(database, [one], gateway.bus),
    ):
        yield gateway, grader


async def submitted(gateway: Gateway, file: bytes | None = None) -> tuple[str, dict[str, str]]:
    """Return the id and the owner's headers of a scored submission."""
    _, receipt = await gateway.submit(file or captions())
    await gateway.set_state(receipt["id"], "scored")
    return receipt["id"], {"Authorization": f"Bearer {receipt['owner_token']}"}


async def post(
    gateway: Gateway,
    path: str,
    headers: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    async with gateway.client.post(
        f"/api/v1/submissions/{path}", headers=headers, json=body
    ) as response:
        return response.status, await response.json(content_type=None)


async def judged(gateway: Gateway, submission: str, state: str = "completed") -> dict[str, Any]:
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            found = (await gateway.status(submission))["judging"]
            if found["run"] and found["run"]["state"] == state:
                return dict(found)
            await asyncio.sleep(0.02)


async def test_the_owner_gets_an_estimate_and_then_public_facts(database: Database) -> None:
    async with api(database) as (gateway, grader):
        submission, owner = await submitted(gateway)
        status, answer = await post(gateway, f"{submission}/judge", owner)
        assert status == 202
        assert answer["estimate"]["calls"] == answer["estimate"]["distinct_pairs"] > 0
        assert answer["estimate"]["usd"] > 0
        found = await judged(gateway, submission)
        assert found["run"]["progress"] == 1
        assert found["run"]["detail"] is found["run"]["estimate"] is None  # the owner's only
        result = found["result"]
        assert result["judge_version"] == grader.version.hash
        assert result["judge"]["model"] == "fake-1"
        summaries = result["facts"]["metrics"]["vs_llm"]
        assert (summaries["value"], summaries["withheld"]) == (None, "too_few_answers")
        status, answer = await post(gateway, f"{submission}/judge", owner)
        assert (status, answer["code"]) == (409, "already_judged")


@deep
async def test_the_owner_has_a_run_hastened_that_is_under_way(database: Database) -> None:
    hold = asyncio.Event()
    async with api(database, FakeGrader(hold=hold)) as (gateway, _):
        submission, owner = await submitted(gateway)
        _, answer = await post(gateway, f"{submission}/judge", owner)
        assert (answer["run"]["fast"], answer["run"]["items_at_provider"]) == (False, 0)
        fast = {"fast": True}
        await database.pool.execute("UPDATE judge_runs SET requested_by = 'administrator'")
        status, answer = await post(gateway, f"{submission}/judge", owner, fast)
        assert (status, answer["code"]) == (409, "already_running"), "not the owner's run"
        await database.pool.execute("UPDATE judge_runs SET requested_by = 'owner'")
        status, answer = await post(gateway, f"{submission}/judge", owner, fast)
        assert (status, answer["run"]["fast"]) == (202, True)
        status, answer = await post(gateway, f"{submission}/judge", owner, fast)
        assert (status, answer["code"]) == (409, "already_running")
        hold.set()
        await judged(gateway, submission)


async def test_a_status_is_of_one_moment_whatever_is_committed_while_it_is_read(
    database: Database,
) -> None:
    """Reading stops between the run and its result, as that table is locked. The run ends then, and
    the status shows nothing of it."""
    hold = asyncio.Event()
    async with api(database, FakeGrader(hold=hold)) as (gateway, _):
        submission, owner = await submitted(gateway)
        await post(gateway, f"{submission}/judge", owner)
        await judged(gateway, submission, "running")
        async with database.pool.acquire() as other, other.transaction():
            await other.execute("LOCK TABLE judge_results IN ACCESS EXCLUSIVE MODE")
            waiting = (
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE datname = current_database() AND relation = 'judge_results'::regclass"
                " AND NOT granted"
            )
            reading = asyncio.create_task(gateway.status(submission))
            async with asyncio.timeout(HANG_SECONDS):
                while not await other.fetchval(waiting):
                    await asyncio.sleep(0.01)
            await other.execute("UPDATE judge_runs SET state = 'completed'")
            await other.execute(
                """INSERT INTO judge_results (run_id, submission_id, judge_version, facts)
                   SELECT id, submission_id, judge_version, '{}' FROM judge_runs"""
            )
        hold.set()
        seen = (await reading)["judging"]
        assert (seen["run"]["state"], seen["result"]) == ("running", None)
        after = (await gateway.status(submission))["judging"]
        assert (after["run"]["state"], after["result"]["facts"]) == ("completed", {})


@deep
async def test_the_page_offers_not_to_wait_for_batches(database: Database) -> None:
    hold = asyncio.Event()
    async with api(database, FakeGrader(hold=hold)) as (gateway, grader):
        submission, owner = await submitted(gateway)

        async def buttons() -> set[str]:
            found = await gateway.client.get(f"/submissions/{submission}", headers=owner)
            return set(re.findall(r'id="(ask-judge(?:-fast)?)"', await found.text()))

        assert await buttons() == {"ask-judge"}
        await announce_judge(database, grader.version, 1, replace(FIGURES, by_batch=True))
        assert await buttons() == {"ask-judge", "ask-judge-fast"}
        _, answer = await post(gateway, f"{submission}/judge", owner, {"fast": False})
        assert answer["series"]["by_batch"] is True
        assert await buttons() == {"ask-judge-fast"}
        await post(gateway, f"{submission}/judge", owner, {"fast": True})
        assert await buttons() == set()
        hold.set()
        await judged(gateway, submission)


async def test_refusals_have_their_codes(database: Database) -> None:
    hold = asyncio.Event()
    async with api(database, FakeGrader(hold=hold)) as (gateway, _):
        _, receipt = await gateway.submit(captions())
        early = {"Authorization": f"Bearer {receipt['owner_token']}"}
        assert await refused(gateway, receipt["id"], early) == (409, "not_scored_yet")
        submission, owner = await submitted(gateway)
        assert await refused(gateway, submission, None) == (401, "token_required")
        assert await refused(gateway, submission, early) == (401, "invalid_token")
        assert (await post(gateway, f"{submission}/judge", owner))[0] == 202
        assert await refused(gateway, submission, owner) == (409, "already_running")
        path = f"{submission}/judge/pause"
        assert (await post(gateway, path, owner))[1]["code"] == "administrator_required"
        await announce_judge(database, None, 1)
        other, its_owner = await submitted(gateway)
        assert await refused(gateway, other, its_owner) == (503, "judge_not_configured")
        await announce_judge(database, None, 1, off="no_model")
        _, answer = await post(gateway, f"{other}/judge", its_owner)
        assert (answer["code"], answer["detail"]) == (
            "judge_not_configured", "No model is set for the judge."
        )  # fmt: skip
        assert answer["fix"].startswith("Operators: set MEDVID_JUDGE_MODEL")
        hold.set()


async def refused(
    gateway: Gateway, submission: str, headers: dict[str, str] | None
) -> tuple[int, str]:
    status, answer = await post(gateway, f"{submission}/judge", headers)
    return status, answer["code"]


async def test_over_budget_is_refused_with_the_sum(database: Database) -> None:
    async with api(database, left=10) as (gateway, grader):
        submission, owner = await submitted(gateway)
        status, answer = await post(gateway, f"{submission}/judge", owner)
        assert (status, answer["code"]) == (409, "over_budget")
        assert "USD" in answer["detail"]
        assert not grader.calls


async def test_an_administrator_pauses_and_resumes_and_nothing_is_lost(database: Database) -> None:
    hold = asyncio.Event()
    async with api(database, FakeGrader(hold=hold)) as (gateway, grader):
        submission, owner = await submitted(gateway)
        await post(gateway, f"{submission}/judge", owner)
        await judged(gateway, submission, "running")
        admin = {"Authorization": f"Bearer {ADMIN}"}
        status, answer = await post(gateway, f"{submission}/judge/pause", admin)
        assert (status, answer["state"], answer["reason"]) == (200, "paused", "administrator")
        assert await refused(gateway, submission, owner) == (409, "paused_by_administrator")
        hold.set()
        status, _ = await post(gateway, f"{submission}/judge/resume", admin)
        assert status == 202
        await judged(gateway, submission)
        assert set(grader.calls.values()) == {1}


async def test_a_run_that_wastes_money_waits_for_an_administrator(database: Database) -> None:
    wasted = replace(ungraded("truncated"), waste=Waste({"truncated": 30}, 90_000))
    async with api(database, FakeGrader(lambda *_: wasted)) as (gateway, grader):
        submission, owner = await submitted(gateway)
        await post(gateway, f"{submission}/judge", owner)
        public = (await judged(gateway, submission, "paused"))["run"]
        assert public["reason"] == "needs_operator"
        assert public["detail"] is public["wasted"] is public["spent_usd"] is None
        assert await refused(gateway, submission, owner) == (409, "needs_operator")
        grader.script = None
        admin = {"Authorization": f"Bearer {ADMIN}"}
        status, run = await post(gateway, f"{submission}/judge/resume", admin)
        assert status == 202
        assert run["wasted"]["reasons"] == {"truncated": run["wasted"]["calls"]}
        assert run["wasted"]["usd"] == run["wasted"]["calls"] * 0.003
        assert run["estimated"] is False
        await judged(gateway, submission)


async def test_verdicts_are_the_owners_and_never_show_references(database: Database) -> None:
    formula = '=HYPERLINK("http://evil.example","x"), cut'

    def script(pair: Any, _: int) -> Any:
        return ungraded("malformed") if pair.prediction == formula else None

    samples = load_ground_truth(ground_truth()).samples
    references = [sample.reference for sample in samples if len(sample.reference or "") > 60]
    assert references
    async with api(database, FakeGrader(script)) as (gateway, _):
        submission, owner = await submitted(gateway, captions(formula))
        await post(gateway, f"{submission}/judge", owner)
        async with asyncio.timeout(HANG_SECONDS):
            while (await gateway.status(submission))["judging"]["run"]["state"] == "running":
                await asyncio.sleep(0.02)
        path = f"/api/v1/submissions/{submission}/verdicts"
        status, _, _ = await gateway.get(path)
        assert status == 401
        _, _, body = await gateway.get(f"{path}?metric=vs_llm&page_size=2", **owner)
        page = orjson.loads(body)
        assert len(page["verdicts"]) == 2 < page["total"]
        assert set(page["verdicts"][1]["scores"]) == {"R2", "R4", "R5", "R7", "R8"}
        _, _, body = await gateway.get(f"{path}?state=unscored", **owner)
        (verdict,) = orjson.loads(body)["verdicts"]
        assert (verdict["prediction"], verdict["unscored_reason"]) == (formula, "malformed")
        _, headers, table = await gateway.get(f"{path}?format=csv&page_size=20000", **owner)
        assert headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(table.decode())))
        assert str(len(rows)) == headers["X-Total-Count"]
        assert any(row["prediction"] == f"'{formula}" for row in rows)
        assert "???" not in table.decode()  # raw replies may quote the reference
        assert not any(reference in table.decode() for reference in references)
        for query in ("metric=tal", "state=x", "page=0", "page_size=100000", "format=xml"):
            status, _, _ = await gateway.get(f"{path}?{query}", **owner)
            assert status == 400


async def read_events(
    gateway: Gateway, submission: str, until: str, last: str | None = None
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (id, kind, data) up to the first event whose data say `until`."""
    headers = {"Last-Event-ID": last} if last else {}
    found, fields = [], {}
    async with (
        asyncio.timeout(HANG_SECONDS),
        gateway.client.get(f"/api/v1/submissions/{submission}/events", headers=headers) as stream,
    ):
        assert stream.headers["Content-Type"] == "text/event-stream"
        async for line in stream.content:
            name, _, value = line.decode().strip().partition(": ")
            if name:
                fields[name] = value
            elif fields:
                found.append((fields["id"], fields["event"], orjson.loads(fields["data"])))
                fields = {}
                if found[-1][2].get("state") == until:
                    return found
    raise AssertionError(f"the stream ended before {until}")


async def test_events_tell_everything_in_order_and_go_on_where_they_were_left(
    database: Database,
) -> None:
    async with api(database) as (gateway, _):
        submission, owner = await submitted(gateway)
        following = asyncio.create_task(read_events(gateway, submission, "completed"))
        await post(gateway, f"{submission}/judge", owner)
        events = await following
        states = [data["state"] for _, kind, data in events if kind != "progress"]
        assert states == ["accepted", "scored", "queued", "running", "completed"]
        done = [data["items_done"] for _, kind, data in events if kind == "progress"]
        assert done == sorted(set(done))
        assert done[-1] == events[-1][2]["items"]
        middle = len(events) // 2
        rest = await read_events(gateway, submission, "completed", events[middle][0])
        assert rest == events[middle + 1 :]


async def test_streams_end_with_the_gateway_and_strange_ids_are_refused(
    database: Database,
) -> None:
    async with api(database) as (gateway, _):
        submission, _ = await submitted(gateway)
        path = f"/api/v1/submissions/{submission}/events"
        status, _, _ = await gateway.get(path, Last_Event_ID="abc")
        assert status == 400
        status, _, _ = await gateway.get(f"/api/v1/submissions/{'0' * 32}/events")
        assert status == 404
        stream = await gateway.client.get(path)
        await stream.content.readline()
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
    async with asyncio.timeout(HANG_SECONDS):
        await asyncio.gather(reading, return_exceptions=True)
