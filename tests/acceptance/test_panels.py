"""A panel of judges over the public API: one of three is down, comes back, and a fourth joins."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import krippendorff
import numpy as np
import pytest

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.tasks import ASPECTS
from medvid.judging import standin
from services.judge.stub.server import Faults, Stub, running_stub
from shared.storage.database import Database
from tests.acceptance.test_succession import FIGURE, Bench, expected, fill, running_bench, told
from tests.depth import deep
from tests.judging import plan_of
from tests.patience import HANG_SECONDS
from tests.preloaded import forked

NAME = "GPT-like"
PAYLOAD = told(NAME)
PAIRS = len(plan_of(PAYLOAD).texts)


@dataclass(slots=True)
class PanelBench:
    """A site, and a stub of its own for each judge."""

    bench: Bench
    folder: Path
    stubs: Mapping[str, tuple[Stub, str]] = field(default_factory=dict)

    def settings(self, *salts: str) -> dict[str, Any]:
        """Return the settings of a panel of these."""
        path = self.folder / f"{'-'.join(salts)}.toml"
        judges = (
            f'[[judge]]\nprovider = "stub"\nbase_url = "{self.stubs[salt][1]}"\n'
            f'stub_salt = "{salt}"\n' + ('family = "gpt"\n' if salt == "c" else "")
            for salt in salts
        )
        path.write_text("wait_seconds = 0.5\n" + "".join(judges))
        return {
            "judges": path, "judge_breaker_failures": 2, "judge_breaker_seconds": 0.2,
            "judge_backoff_seconds": 0.01, "judge_attempts": 2,
        }  # fmt: skip

    def asked(self) -> dict[str, int]:
        return {salt: stub.answered.total() for salt, (stub, _) in self.stubs.items()}

    async def judged(self, submission: UUID, by: int, of: int) -> dict[str, Any]:
        """Return the status once so many judges gave the result, with which the run has ended."""
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                status, found = await self.bench.site.ask("GET", f"/submissions/{submission}")
                assert status == 200, found
                result = found["judging"]["result"]
                panel = result["facts"].get("panel") if result else None
                if panel and (panel["judged_by"], panel["of"]) == (by, of):
                    assert found["judging"]["run"]["state"] == "completed"
                    return dict(found)
                await asyncio.sleep(0.05)


@pytest.fixture(params=["local", pytest.param("rabbit", marks=deep)])
async def world(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path
) -> AsyncIterator[PanelBench]:
    rabbit = request.getfixturevalue("rabbit_url") if request.param == "rabbit" else None
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(running_bench(database, rabbit))
        stubs = {}
        for salt in "abcd":
            stub = Stub()
            stubs[salt] = stub, await stack.enter_async_context(running_stub(stub))
        yield PanelBench(bench, tmp_path, stubs)


async def test_one_of_three_is_down_comes_back_and_a_fourth_joins(world: PanelBench) -> None:
    site = world.bench.site
    submission = (await fill(world.bench, NAME))[NAME]
    lost = world.stubs["b"][0]
    lost.be(Faults(failing=1))
    async with world.bench.judge(**world.settings("a", "b", "c")):
        await ask_to_judge(world, submission)
        found = await world.judged(submission, 2, 3)
        assert found["judging"]["run"]["estimate"]["calls"] == 3 * PAIRS
        check_two_of_three(found)
        (entry,) = (await site.board("community")).values()
        assert set(entry["badges"]) == {"stub judge", "judges missing", "own family judged"}
        assert (await site.ask("GET", "/leaderboards/community", key=None))[1]["series"][
            "current"
        ] is None, "a value for which judges are missing gives a board no series"

        before = world.asked()
        assert (before["a"], before["b"], before["c"]) == (PAIRS, 0, PAIRS)
        lost.be(Faults())
        found = await world.judged(submission, 3, 3)
        assert world.asked() == {"a": PAIRS, "b": PAIRS, "c": PAIRS, "d": 0}, "each paid once"
        check_all_three(found["judging"]["result"])
    rows = await site.board("community")
    row = rows[NAME]
    assert set(row["badges"]) == {"stub judge", "own family judged"}
    assert row["series"][FIGURE] == found["judging"]["result"]["judge_version"]
    await check_places_that_name_members(world, submission, row["entry_id"])

    async with world.bench.judge(**world.settings("d", "a", "b", "c")):
        receipt = await ask_to_judge(world, submission)
        assert receipt["series"]["ranked"] is False, "the board ranks by the panel of three"
        found = await world.judged(submission, 4, 4)
        assert found["judging"]["run"]["estimate"]["calls"] == PAIRS
    assert world.asked() == dict.fromkeys("abcd", PAIRS), "only the new member is asked"


async def stored(world: PanelBench) -> dict[tuple[str, CaptionPair], int]:
    """Return how often the pairs were paid for that members have judged, by the member's salt."""
    rows = await world.bench.database.pool.fetch(
        "SELECT facts ->> 'model' AS model, prediction, reference FROM judge_verdicts"
        " JOIN judge_versions ON hash = judge_version JOIN judge_pairs ON sha256 = pair"
        " WHERE scores IS NOT NULL"
    )
    found = {}
    for row in rows:
        salt = row["model"][-1]
        pair = CaptionPair(row["prediction"].decode(), row["reference"].decode())
        found[salt, pair] = world.stubs[salt][0].answered[pair]
    return found


@deep
async def test_a_panel_that_is_killed_loses_nothing_and_asks_nobody_twice(
    world: PanelBench, postgres_url: str
) -> None:
    bench, slots, kill_at = world.bench, 4, (1, PAIRS, 2 * PAIRS)
    submission = (await fill(bench, NAME))[NAME]
    settings = world.settings("a", "b", "c")
    rabbit = {"MEDVID_RABBITMQ_URL": bench.rabbit_url} if bench.rabbit_url else {}
    env = {
        **os.environ,
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_JUDGES": str(settings["judges"]),
        "MEDVID_JUDGE_CONCURRENCY": str(slots),
        "MEDVID_JUDGE_CLAIM_SECONDS": "2",
        "MEDVID_JUDGE_PATROL_SECONDS": "0.5",
        "MEDVID_JUDGE_STILL_SECONDS": "3",
        "MEDVID_JUDGE_LOST_SECONDS": "3",
        **rabbit,
    }
    for stub, _ in world.stubs.values():
        stub.be(Faults(latency_seconds=0.05))
    known: dict[tuple[str, CaptionPair], int] = {}
    for done in kill_at:
        process = await forked("services.judge", env=env)
        try:
            if done == kill_at[0]:
                await ask_to_judge(world, submission)
            async with asyncio.timeout(HANG_SECONDS):
                while sum(world.asked().values()) < done:
                    await asyncio.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        known |= await stored(world)
    for stub, _ in world.stubs.values():
        stub.be(Faults())
    async with bench.judge(**settings):
        found = await world.judged(submission, 3, 3)
    after = await stored(world)
    assert len(known) > PAIRS
    assert {key: after[key] for key in known} == known, "what is stored is never asked for again"
    assert sum(world.asked().values()) <= 3 * PAIRS + len(kill_at) * 3 * slots
    check_all_three(found["judging"]["result"])


async def ask_to_judge(world: PanelBench, submission: UUID) -> dict[str, Any]:
    """Ask for a run once the judge that runs is the one that the gateway knows."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            status, receipt = await world.bench.site.ask("POST", f"/submissions/{submission}/judge")
            if status in (200, 202):
                return dict(receipt)
            assert receipt["code"] in ("judge_not_configured", "already_judged"), receipt
            await asyncio.sleep(0.05)


def mean(*salts: str) -> float:
    values = [expected(PAYLOAD, salt) for salt in salts]
    return sum(value or 0 for value in values) / len(values)


def check_two_of_three(found: dict[str, Any]) -> None:
    run, facts = found["judging"]["run"], found["judging"]["result"]["facts"]
    assert run["state"] == "completed"
    assert run["detail"].startswith("judged by 2 of 3 judges, without stub-judge-1-b")
    assert (run["items"], run["items_done"]) == (2 * PAIRS, 2 * PAIRS)
    (missing,) = facts["panel"]["missing"]
    assert (missing["model"], missing["reason"]) == ("stub-judge-1-b", "provider_down")
    assert facts["metrics"][FIGURE]["value"] == pytest.approx(mean("a", "c"), abs=1e-4)


def check_all_three(result: dict[str, Any]) -> None:
    facts = result["facts"]
    panel = facts["panel"]
    assert panel["missing"] == []
    assert facts["metrics"][FIGURE]["value"] == pytest.approx(mean("a", "b", "c"), abs=1e-4)
    members = {each["model"]: each for each in panel["members"]}
    for salt in "abc":
        own = members[f"stub-judge-1-{salt}"]["metrics"][FIGURE]["value"]
        assert own == pytest.approx(expected(PAYLOAD, salt), abs=1e-4)
    assert facts["own_family"] == [members["stub-judge-1-c"]["judge_version"]]
    texts = plan_of(PAYLOAD).texts
    ratings = [
        [standin.judge(pair, salt)[aspect] for pair in texts for aspect in ASPECTS]
        for salt in "abc"
    ]
    alpha = krippendorff.alpha(np.array(ratings), level_of_measurement="ordinal")
    assert panel["agreement"][FIGURE]["alpha"] == pytest.approx(alpha, abs=1e-4)
    assert len(panel["agreement"][FIGURE]["kappas"]) == 3


async def check_places_that_name_members(
    world: PanelBench, submission: UUID, entry_id: str
) -> None:
    site = world.bench.site
    path = f"/submissions/{submission}/verdicts?page_size=1000"
    _, page = await site.ask("GET", path)
    assert page["total"] == 3 * PAIRS
    assert len({each["judge_version"] for each in page["verdicts"]}) == 3
    _, opinions = await site.ask("GET", "/leaderboards/community/second-opinions", key=None)
    (own,) = opinions["entries"]
    assert set(own["judges_out"].values()) == {1}
    assert (len(own["judges_out"]), own["one_judge_out"]) == (3, [1, 1])
    for address, words in (
        (f"/boards/community/entries/{entry_id}",
         ("Judged by 3 of 3 judges", "stub-judge-1-b", "alpha", "of the model&#39;s family")),
        ("/boards/community/second-opinions", ("One judge out",)),
    ):  # fmt: skip
        async with site.client.get(address) as response:
            text = await response.text()
            assert response.status == 200, text[:500]
            for each in words:
                assert each in text.replace("model's", "model&#39;s"), (address, each)
