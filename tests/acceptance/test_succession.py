"""Judge B follows judge A: cost first, beside the values in force, applied whole."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import pytest

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from services.judge import app as judge
from services.judge.settings import JudgeSettings
from services.judge.stub.server import Faults, Stub, running_stub
from shared.messaging.bus import Bus
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.bus import connect_rabbit
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database
from tests.acceptance.admin_browser import signed_in
from tests.acceptance.administration_harness import Site, running_site
from tests.acceptance.test_admin_operations import medvid
from tests.depth import deep
from tests.judging import FEW, HALF, plan_of, request_run
from tests.patience import HANG_SECONDS
from tests.preloaded import forked
from tests.rows import accept_submission, add_listed_entry

PATIENCE = HANG_SECONDS
FIGURE = "rc_llm"


def told(text: str) -> bytes:
    """The few captions, each with a text at its end: other pairs than those of another text."""
    records = orjson.loads(gzip.decompress(FEW))
    for record in records:
        record["prediction"] += f" {text}"
    return gzip.compress(orjson.dumps(records), mtime=0)


def expected(payload: bytes, salt: str) -> float | None:
    """What the stub judge of a salt makes of an upload."""
    found = plan_of(payload)
    verdicts = [standin.judge(pair, salt) for pair in found.texts]
    return aggregate(found, verdicts)[FIGURE].compat


@dataclass(slots=True)
class Bench:
    """A site, a stub that is every judge, and the bus."""

    site: Site
    stub: Stub
    url: str
    rabbit_url: str | None

    @property
    def database(self) -> Database:
        return self.site.database

    @asynccontextmanager
    async def judge(self, salt: str | None = None, **changes: Any) -> AsyncIterator[None]:
        """Run the judge of a salt, or as other settings say."""
        bus: Bus = (
            await connect_rabbit(self.rabbit_url) if self.rabbit_url else LocalBus(self.database)
        )
        base = Infrastructure(self.database, bus, Readiness({"database": self.database.check}))
        if salt is not None:
            changes |= {
                "judge_provider": "stub", "judge_base_url": self.url, "judge_stub_salt": salt,
            }  # fmt: skip
        settings = JudgeSettings(judge_patrol_seconds=0.2, judge_due_seconds=0.1, **changes)
        try:
            async with judge.run(base, settings):
                yield
        finally:
            await base.close()
            await bus.close()

    async def judged(self, submission_id: UUID) -> None:
        run_id = await request_run(self.database, submission_id)
        await until(
            lambda: self.database.pool.fetchval(
                "SELECT state = 'completed' FROM judge_runs WHERE id = $1", run_id
            )
        )

    async def job(self, job: str, state: str) -> dict[str, Any]:
        """Return a job once it is in a state."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status, detail = await self.site.ask("GET", f"/admin/successions/{job}")
                assert status == 200, detail
                if detail["job"]["state"] == state:
                    return dict(detail)
                await asyncio.sleep(0.05)

    async def values(self) -> dict[str, tuple[float | None, str | None]]:
        rows = await self.database.pool.fetch(
            "SELECT model_name, compat, judge_version FROM entries JOIN scores ON entry_id = id"
            " WHERE metric = $1",
            FIGURE,
        )
        return {row["model_name"]: (row["compat"], row["judge_version"]) for row in rows}


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running_bench(database: Database, rabbit_url: str | None) -> AsyncIterator[Bench]:
    stub = Stub()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_stub(stub))
        site = await stack.enter_async_context(running_site(database, rabbit_url))
        yield Bench(site, stub, url, rabbit_url)


@pytest.fixture(params=["local", pytest.param("rabbit", marks=deep)])
async def bench(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Bench]:
    url = request.getfixturevalue("rabbit_url") if request.param == "rabbit" else None
    async with running_bench(database, url) as bench:
        yield bench


async def fill(bench: Bench, *names: str) -> dict[str, UUID]:
    """Accept uploads of those names, and list them; each has other captions."""
    found = {}
    for name in names:
        stored = await accept_submission(bench.database, name, told(name))
        found[name] = stored.submission_id
    await bench.database.pool.execute("UPDATE entries SET listed = true")
    await bench.database.pool.execute(
        "UPDATE submissions SET state = 'scored' WHERE state = 'accepted'"
    )
    return found


async def versions(bench: Bench) -> tuple[str, str]:
    rows = await bench.database.pool.fetch("SELECT hash FROM judge_versions ORDER BY created_at")
    first, second = (row["hash"] for row in rows)
    return first, second


async def test_one_judge_follows_another(bench: Bench) -> None:
    submissions = await fill(bench, "One", "Two", "Gone")
    await add_listed_entry(bench.database, "Published", {FIGURE: 3.0})
    async with bench.judge("a"):
        for submission in submissions.values():
            await bench.judged(submission)
    await bench.database.pool.execute(
        "DELETE FROM payloads WHERE submission_id = $1", submissions["Gone"]
    )
    newcomer = await fill(bench, "Newcomer")
    async with bench.judge("b"):
        await bench.judged(newcomer["Newcomer"])
        a, b = await versions(bench)
        rows = await bench.site.board("community")
        assert {row["series"][FIGURE] for row in rows.values()} == {a, b, "published"}
        assert rows["Newcomer"]["not_ranked"] == {FIGURE: "other_judge"}
        assert (
            rows["Newcomer"]["ranks"].get(FIGURE) is None or rows["Newcomer"]["ranks"][FIGURE] == 5
        )
        _, before = await bench.site.ask("GET", "/leaderboards/community", key=None)
        assert before["series"]["current"] == a
        past = f"/leaderboards/community?as_of={before['snapshot']}"
        stays = await raw(bench, past)

        _, cost = await bench.site.ask("GET", "/admin/successions/estimate?board=community")
        pairs = {pair for name in ("One", "Two") for pair in plan_of(told(name)).texts}
        assert (cost["judge_version"], cost["entries"], cost["calls"]) == (b, 2, len(pairs))
        assert {each["model_name"]: each["code"] for each in cost["stays"]} == {
            "Gone": "file_gone", "Published": "published",
        }  # fmt: skip
        assert [each["model_name"] for each in cost["unranked"]] == ["Gone"]
        refused = await bench.site.refused("/successions", calls=cost["calls"] - 1)
        assert refused == (409, "estimate_outdated")
        job = await bench.site.done("/successions", calls=cost["calls"], board="community")
        detail = await bench.job(job["id"], "ready")
        check_difference(detail)
        assert (await bench.values())["One"] == (expected(told("One"), "a"), a), "not yet in force"

        path = f"/successions/{job['id']}/apply"
        number = detail["job"]["preview"]
        assert await bench.site.refused(path, preview=number) == (409, "entries_unranked")
        assert (await bench.values())["One"][1] == a, "nothing of it is in force"
        done = await bench.site.done(path, preview=number, leave_unranked=True)
        assert done["changed"]
    after = await bench.site.board("community")
    assert {name: row["series"][FIGURE] for name, row in after.items()} == {
        "One": b, "Two": b, "Newcomer": b, "Gone": a, "Published": "published",
    }  # fmt: skip
    assert [name for name, row in after.items() if row["not_ranked"]] == ["Gone"]
    assert max(row["ranks"].get(FIGURE, 0) for row in after.values()) <= 4
    assert (await bench.values())["Two"] == (expected(told("Two"), "b"), b)
    assert await raw(bench, past) == stays, "byte for byte"
    assert max(bench.stub.answered.values()) == 2, "once by each judge"
    (line,) = await bench.site.audit(action="apply_succession")
    assert len(line["after"]["unranked"]) == 1
    assert (line["after"]["judge_version"], line["after"]["boards"]) == (b, ["community"])
    staying = await bench.job(job["id"], "applied")
    assert {each["model_name"] for each in staying["stays"]} == {"Gone", "Published"}


def check_difference(detail: dict[str, Any]) -> None:
    """Hold the bridge and the ranks against values computed here."""
    found = detail["bridge"]["metrics"][FIGURE]
    own = {name: (expected(told(name), "a"), expected(told(name), "b")) for name in ("One", "Two")}
    mean = sum((new or 0) - (old or 0) for old, new in own.values()) / 2
    assert found["difference"] == pytest.approx(mean, abs=1e-4)
    assert found["low"] <= found["difference"] <= found["high"]
    texts = [pair for name in own for pair in plan_of(told(name)).texts]
    assert (found["entries"], found["pairs"], found["pearson"]) == (2, len(texts), None)
    old, new = ([sum(standin.judge(pair, salt).values()) for pair in texts] for salt in "ab")
    assert found["pairs_pearson"] == pytest.approx(correlation(old, new), abs=1e-4)
    moves = {row["model_name"]: row["rank"] for row in detail["boards"]["community"]["compat"]}
    assert (moves["Newcomer"]["before"], moves["Gone"]["after"]) == (None, None)
    assert None not in (moves["Newcomer"]["after"], moves["Gone"]["before"])
    assert {each["model_name"] for each in detail["stays"]} == {"Gone", "Published"}
    assert [each["model_name"] for each in detail["unranked"]] == ["Gone"]


def correlation(one: list[int], other: list[int]) -> float:
    means = sum(one) / len(one), sum(other) / len(other)
    pairs = [(x - means[0], y - means[1]) for x, y in zip(one, other, strict=True)]
    squares = [sum(pair[side] ** 2 for pair in pairs) for side in (0, 1)]
    return float(sum(x * y for x, y in pairs) / (squares[0] * squares[1]) ** 0.5)


async def raw(bench: Bench, path: str) -> bytes:
    async with bench.site.client.get(f"/api/v1{path}") as response:
        assert response.status == 200
        return await response.read()


@deep
async def test_a_job_for_some_entries_says_who_will_not_rank_on_the_page_and_by_command(
    database: Database,
) -> None:
    async with running_bench(database, None) as bench:
        submissions = await fill(bench, "One", "Two")
        async with bench.judge("a"):
            for submission in submissions.values():
                await bench.judged(submission)
        await bench.site.board("community")
        page = await signed_in(bench.site)
        why = ("--why", "a judge follows", "--yes")
        async with bench.judge("b"):
            _, text = await page.get("/admin/rescores?judge_on=community")
            assert "Judge 2 entries for about" in text
            assert "these rank today and will not" not in text
            command = ("succession", "start", "One", "--board", "community")
            status, _, said = await medvid(bench.site, *command, "--why", "a judge follows")
            assert (status, "will not rank any more: Two" in said) == (1, True), "nobody agreed"
            status, out, said = await medvid(bench.site, *command, *why)
            assert status == 0, said
        assert "apply needs --leave-unranked" in out
        job = re.search(r"Job ([0-9a-f-]{36}): ready", out)
        assert job is not None
        status, _, said = await medvid(bench.site, "succession", "apply", *why)
        assert (status, "by which Two were not judged" in said) == (1, True), said
        path = f"/admin/rescores/{job[1]}"
        _, text = await page.get(path)
        assert "Will not rank any more" in text
        assert text.count("The bridge between both judges") == 1
        given = {"preview": re.search(r'name="preview" value="(\d+)"', text)[1]}  # type: ignore[index]
        status, text = await page.do(path, "apply", **given)
        assert (status, "by which Two were not judged" in text) == (409, True)
        status, text = await page.do(path, "apply", **given, leave_unranked="yes")
        assert (status, "The scores are in force." in text) == (200, True)
        rows = await bench.site.board("community")
        assert {name: row["not_ranked"] for name, row in rows.items()} == {
            "One": {}, "Two": {FIGURE: "other_judge"},
        }  # fmt: skip
        _, text = await page.get(path)
        assert "Will not rank any more" not in text, "it is applied"
        status, out, _ = await medvid(bench.site, "succession", "list")
        assert (status, "applied" in out, job[1] in out) == (0, True, True)


@deep
async def test_a_dropped_job_keeps_its_verdicts_and_a_changed_judge_ends_one(
    database: Database,
) -> None:
    async with running_bench(database, None) as bench:
        submissions = await fill(bench, "One")
        async with bench.judge("a"):
            await bench.judged(submissions["One"])
        async with bench.judge("b"):
            _, cost = await bench.site.ask("GET", "/admin/successions/estimate")
            job = await bench.site.done("/successions", calls=cost["calls"])
            await bench.job(job["id"], "ready")
            assert (await bench.site.done(f"/successions/{job['id']}/discard"))["changed"]
            _, again = await bench.site.ask("GET", "/admin/successions/estimate")
            assert (again["calls"], again["cached"]) == (0, cost["calls"])
        second = await bench.site.done("/successions", calls=0)
        async with bench.judge("c"):
            detail = await bench.job(second["id"], "ready")
        (failure,) = detail["failures"]
        assert failure["code"] == "judge_changed"
        assert (await bench.values())["One"][0] == expected(told("One"), "a")
        path = f"/successions/{second['id']}"
        refused = await bench.site.refused(f"{path}/apply", preview=detail["job"]["preview"])
        assert refused == (409, "rescore_failures")


async def kill_and_apply(
    database: Database,
    postgres_url: str,
    rabbit_url: str | None,
    payload: bytes,
    kill_at: tuple[int, ...],
) -> None:
    """Kill the judge in the middle of a job; then it ends, and nothing is paid twice."""
    stored_then: dict[CaptionPair, int] = {}
    async with running_bench(database, rabbit_url) as bench:
        stored = await accept_submission(database, "One", payload)
        await database.pool.execute("UPDATE entries SET listed = true")
        await database.pool.execute(
            "UPDATE submissions SET state = 'scored' WHERE state = 'accepted'"
        )
        async with bench.judge("a"):
            await bench.judged(stored.submission_id)
        paid = bench.stub.answered.total()
        env = {
            **os.environ,
            "MEDVID_DATABASE_URL": postgres_url,
            "MEDVID_JUDGE_PROVIDER": "stub",
            "MEDVID_JUDGE_BASE_URL": bench.url,
            "MEDVID_JUDGE_STUB_SALT": "b",
            "MEDVID_JUDGE_CONCURRENCY": "4",
            "MEDVID_JUDGE_CLAIM_SECONDS": "2",
            "MEDVID_JUDGE_PATROL_SECONDS": "0.5",
            "MEDVID_JUDGE_STILL_SECONDS": "3",
            "MEDVID_JUDGE_LOST_SECONDS": "3",
            "MEDVID_METRICS_PORT": "0",
            **({"MEDVID_RABBITMQ_URL": rabbit_url} if rabbit_url else {}),
        }
        bench.stub.be(Faults(latency_seconds=0.05))
        job = None
        for done in kill_at:
            process = await forked("services.judge", env=env)
            try:
                if job is None:
                    await until(
                        lambda: database.pool.fetchval(
                            "SELECT figures IS NOT NULL AND judge_version NOT IN"
                            " (SELECT judge_version FROM judge_results) FROM judge_service"
                        )
                    )
                    job = (await bench.site.done("/successions", calls=1_000_000))["id"]
                await until(lambda done=done: _paid(bench, paid + done))  # type: ignore[misc]
            finally:
                process.send_signal(signal.SIGKILL)
                await process.wait()
            stored_then |= await stored_pairs(bench)
        bench.stub.be(Faults())
        assert job is not None
        async with bench.judge("b"):
            detail = await bench.job(job, "ready")
        assert not detail["failures"]
        # A kill may lose what was under way; what was stored is never asked for again.
        assert len(stored_then) >= kill_at[-1] // 2
        assert {pair: bench.stub.answered[pair] for pair in stored_then} == stored_then
        assert max(bench.stub.answered.values()) <= 2 + len(kill_at), "once by A, and what was lost"
        path = f"/successions/{job}/apply"
        assert (await bench.site.done(path, preview=detail["job"]["preview"]))["changed"]
        assert (await bench.values())["One"][0] == expected(payload, "b")


async def stored_pairs(bench: Bench) -> dict[CaptionPair, int]:
    """Return how often the pairs were paid for whose verdicts by both judges are stored."""
    rows = await bench.database.pool.fetch(
        "SELECT prediction, reference FROM judge_pairs JOIN judge_verdicts ON pair = sha256"
        " GROUP BY 1, 2 HAVING count(*) = 2"
    )
    pairs = [CaptionPair(row["prediction"].decode(), row["reference"].decode()) for row in rows]
    return {pair: bench.stub.answered[pair] for pair in pairs}


async def _paid(bench: Bench, count: int) -> bool:
    return bench.stub.answered.total() >= count


@deep
async def test_a_killed_judge_loses_nothing(
    database: Database, postgres_url: str, rabbit_url: str
) -> None:
    await kill_and_apply(database, postgres_url, rabbit_url, told("One"), (16,))


@deep
@pytest.mark.parametrize("bus", ["local", pytest.param("rabbit", marks=deep)])
async def test_a_judge_killed_often_loses_nothing(
    database: Database, postgres_url: str, bus: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("rabbit_url") if bus == "rabbit" else None
    await kill_and_apply(database, postgres_url, url, HALF, (1, 40, 90, 150, 250))
