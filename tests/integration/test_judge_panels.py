"""Panels on a real database: each member is asked once, and one that is down holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy
import orjson
import pytest

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.statistics.bootstrap import resample
from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from medvid.judging.results import replicates
from services.judge.own_families import OwnFamilies
from services.judge.verdict import Pair, ProviderDown, Verdict
from shared.storage.database import Database
from shared.storage.replicates import replicates_from
from tests.depth import deep
from tests.fakes.grader import FakeGrader, graded, ungraded
from tests.judging import (
    FEW,
    judges_of,
    judging,
    look_after,
    plan_of,
    reaches,
    replica,
    request_run,
    run_row,
)
from tests.patience import HANG_SECONDS
from tests.rows import DEMO, Stored, accept_submission

FIGURE = "rc_llm"
PAIRS = len(plan_of(FEW).texts)


class Salted(FakeGrader):
    """A member whose scores are those of the stand-in with its name; may be down."""

    def __init__(self, name: str) -> None:
        super().__init__(self._grade, model=name)
        self.is_down = False
        self.bad = False

    def _grade(self, pair: Pair, _: int) -> Verdict:
        if self.is_down:
            raise ProviderDown("its provider does not answer", seconds=0)
        if self.bad:
            return ungraded("malformed")
        scores = standin.judge(CaptionPair(pair.prediction, pair.reference), self.version.model)
        return replace(graded(pair), scores=scores)

    async def is_up(self) -> bool:
        return not self.is_down

    @property
    def asked(self) -> int:
        return self.calls.total()


def value(name: str) -> float:
    """What a member alone makes of the few captions."""
    found = plan_of(FEW)
    score = aggregate(found, [standin.judge(pair, name) for pair in found.texts])[FIGURE].compat
    assert score is not None
    return score


def trio() -> list[Salted]:
    return [Salted(name) for name in ("a", "b", "c")]


async def few(database: Database, name: str = "A model") -> Stored:
    return await accept_submission(database, name, FEW)


async def result(database: Database, run_id: UUID) -> Mapping[str, Any]:
    row = await database.pool.fetchrow("SELECT * FROM judge_results WHERE run_id = $1", run_id)
    assert row is not None
    return {**row, "facts": orjson.loads(row["facts"])}


async def score(database: Database) -> tuple[float, str, list[str]]:
    row = await database.pool.fetchrow(
        "SELECT compat, judge_version, badges FROM scores JOIN entries ON id = entry_id"
        " WHERE metric = $1",
        FIGURE,
    )
    assert row is not None
    return row["compat"], row["judge_version"], row["badges"]


async def test_a_base_model_marks_an_entry_also_when_it_is_stated_after_judging(
    database: Database,
) -> None:
    """Judges are compared with it when the run ends, and again when it changes; once."""
    judges = judges_of(*trio())
    families = OwnFamilies(database, {"base-of-b": "house", "b": "house"})
    stored = await few(database)
    async with judging(database, [replica(database, judges)]):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "completed")
    await database.pool.execute("UPDATE entries SET listed = true")  # as the ranker does
    whose = {each.name: each.judge_version for each in judges.panel.members}
    for base, own in (("Base-of-B 7B", [whose["b"]]), ("Other", []), ("base-of-b", [whose["b"]])):
        await database.pool.execute(
            "UPDATE entries SET facts = jsonb_build_object('base_model', $1::text)", base
        )
        before = await database.pool.fetchval("SELECT max(revision) FROM boards")
        for _ in range(2):
            await families.look()
        after = await database.pool.fetchval("SELECT max(revision) FROM boards")
        assert after == before + 1, "the board is ranked anew, once"
        facts = (await result(database, run_id))["facts"]
        assert (facts["base_model"], facts.get("own_family", [])) == (base, own)
        assert (await score(database))[2] == (["own family judged"] if own else [])
    await database.pool.execute("UPDATE entries SET facts = '{}'")  # as when it is erased
    await families.look()
    assert not {"base_model", "own_family"} & (await result(database, run_id))["facts"].keys()


@pytest.mark.parametrize(
    ("combine", "combined"),
    [pytest.param("mean", numpy.mean, marks=deep), ("median", numpy.median)],
)
async def test_a_panel_s_value_is_that_of_its_members(
    database: Database, combine: Any, combined: Any
) -> None:
    members = trio()
    judges = judges_of(*members, combine=combine)
    stored = await few(database)
    async with judging(database, [replica(database, judges)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "completed")
    assert [each.asked for each in members] == [PAIRS] * 3
    assert (run["items"], run["items_done"], run["items_unscored"]) == (3 * PAIRS, 3 * PAIRS, 0)
    assert run["judge_version"] == judges.version
    assert orjson.loads(run["estimate"])["calls"] == 3 * PAIRS
    found, version, badges = await score(database)
    assert found == pytest.approx(combined([value(each) for each in "abc"]))
    assert (version, badges) == (judges.version, [])
    kept = await result(database, run_id)
    panel = kept["facts"]["panel"]
    assert (panel["judged_by"], panel["of"], panel["missing"]) == (3, 3, [])
    own = {each["model"]: each["metrics"][FIGURE]["value"] for each in panel["members"]}
    assert own == pytest.approx({each: value(each) for each in "abc"})
    assert len(panel["agreement"][FIGURE]["kappas"]) == 3
    await replicates_are_combined(database, combined)


async def replicates_are_combined(database: Database, combined: Any) -> None:
    """Each replicate is combined of the members' own, as the value is (SPEC 6)."""
    row = await database.pool.fetchrow(
        "SELECT replicates, ground_truth_version AS version FROM replicates"
        " WHERE metric = $1 AND scoring = 'compat'",
        FIGURE,
    )
    assert row is not None
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    drawn, found = resample(truth.samples, truth.version), plan_of(FEW)
    members = [
        replicates(
            found,
            [{n: standin.judge(pair, name) for n, pair in enumerate(found.texts)}],
            truth.samples,
            drawn,
        )[FIGURE].whole.replicates
        for name in "abc"
    ]
    expected = combined(members, axis=0)
    numpy.testing.assert_allclose(replicates_from(row["replicates"]), expected, atol=1e-12)


async def test_a_member_that_is_down_is_waited_for_by_nobody_and_completed_later(
    database: Database,
) -> None:
    members = trio()
    judges, lost = judges_of(*members), members[1]
    lost.is_down = True
    one = replica(database, judges)
    stored = await few(database)
    async with judging(database, [one]):
        run_id = await request_run(database, stored.submission_id)
        await _until_ended(database, one, run_id)
        run = await run_row(database, run_id)
        assert run["detail"] == "judged by 2 of 3 judges, without b (provider_down)."
        assert (run["items"], run["items_done"]) == (2 * PAIRS, 2 * PAIRS)
        rest = judges_of(members[0], members[2])
        found, version, badges = await score(database)
        assert found == pytest.approx((value("a") + value("c")) / 2)
        assert (version, badges) == (rest.version, ["judges missing"])
        kept = await result(database, run_id)
        assert (kept["judge_version"], kept["wanted_version"]) == (rest.version, judges.version)
        panel = kept["facts"]["panel"]
        assert (panel["judged_by"], panel["of"]) == (2, 3)
        assert [(each["model"], each["reason"]) for each in panel["missing"]] == [
            ("b", "provider_down")
        ]
        for _ in range(3):
            await look_after(database, one)
        assert await database.pool.fetchval("SELECT count(*) FROM judge_runs") == 1

        lost.is_down, vain = False, lost.asked
        others = members[0].asked, members[2].asked
        later = await _until_asked_again(database, one, run_id)
        await reaches(database, later, "completed")
    assert others == (members[0].asked, members[2].asked) == (PAIRS, PAIRS)
    assert lost.asked - vain == PAIRS
    found, version, badges = await score(database)
    assert found == pytest.approx(sum(map(value, "abc")) / 3)
    assert (version, badges) == (judges.version, [])
    assert (await result(database, later))["wanted_version"] is None


async def test_all_members_down_pause_the_run_until_one_is_back(database: Database) -> None:
    members = trio()
    for each in members:
        each.is_down = True
    one = replica(database, judges_of(*members))
    stored = await few(database)
    async with judging(database, [one]):
        run_id = await request_run(database, stored.submission_id)
        async with asyncio.timeout(HANG_SECONDS):
            while (await run_row(database, run_id))["state"] != "paused":
                await look_after(database, one)
        assert (await run_row(database, run_id))["reason"] == "provider_down"
        members[2].is_down = False
        await _until_ended(database, one, run_id)
    found, version, _ = await score(database)
    assert found == pytest.approx(value("c"))
    assert version == members[2].version.hash


@deep
async def test_a_member_whose_replies_are_no_verdicts_is_left_out_for_good(
    database: Database,
) -> None:
    members = trio()
    members[0].bad = True
    judges = judges_of(*members)
    one = replica(database, judges)
    stored = await few(database)
    async with judging(database, [one]):
        run_id = await request_run(database, stored.submission_id)
        await _until_ended(database, one, run_id)
        for _ in range(2):
            await look_after(database, one)
    kept = await result(database, run_id)
    assert [each["reason"] for each in kept["facts"]["panel"]["missing"]] == ["too_many_unscored"]
    assert kept["wanted_version"] is None
    assert await database.pool.fetchval("SELECT count(*) FROM judge_runs") == 1
    assert (await score(database))[0] == pytest.approx((value("b") + value("c")) / 2)


@deep
async def test_a_member_that_is_added_is_the_only_one_that_is_asked(database: Database) -> None:
    members = trio()
    stored = await few(database)
    async with judging(database, [replica(database, members[0])]):
        run_id = await request_run(database, stored.submission_id)
        assert (await reaches(database, run_id, "completed"))["items"] == PAIRS
    async with judging(database, [replica(database, judges_of(*members[:2]))]):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "completed")
    assert [each.asked for each in members] == [PAIRS, PAIRS, 0]
    async with judging(database, [replica(database, judges_of(*members))]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "completed")
    assert [each.asked for each in members] == [PAIRS] * 3
    assert (run["items"], run["items_cached"]) == (3 * PAIRS, 2 * PAIRS)
    assert orjson.loads(run["estimate"])["calls"] == PAIRS


@deep
async def test_a_run_that_was_planned_for_one_judge_goes_on_as_a_panel_s(
    database: Database,
) -> None:
    members = trio()
    members[0].is_down = True
    one = replica(database, members[0])
    stored = await few(database)
    async with judging(database, [one]):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "paused")
    members[0].is_down = False
    panel = replica(database, judges_of(*members[:2]))
    async with judging(database, [panel]):
        await _until_ended(database, panel, run_id)
        run = await run_row(database, run_id)
    assert (run["items"], run["judge_version"]) == (2 * PAIRS, panel.judge.judges.version)


async def _until_ended(database: Database, one: Any, run_id: UUID) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while (await run_row(database, run_id))["state"] != "completed":
            await look_after(database, one)
            await asyncio.sleep(0.02)


async def _until_asked_again(database: Database, one: Any, run_id: UUID) -> UUID:
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            await look_after(database, one)
            found: UUID | None = await database.pool.fetchval(
                "SELECT id FROM judge_runs WHERE id <> $1", run_id
            )
            if found is not None:
                return found
            await asyncio.sleep(0.02)
