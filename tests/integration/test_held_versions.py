"""A new version of a judged model: known verdicts fill in; the old one ranks until then."""

from __future__ import annotations

import asyncio
import gzip
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from services.gateway.submissions.forms import SubmittedFields
from services.gateway.submissions.lifecycle import Lifecycle
from services.gateway.submissions.records import Checked, NewSubmission
from services.gateway.submissions.store import SubmissionStore
from services.judge.store import announce_judge
from services.judge.upkeep import OVERDUE
from shared.storage.database import Database
from tests.acceptance.gateway_harness import records, running_gateway
from tests.depth import deep, some_of
from tests.fakes.grader import FakeGrader
from tests.judging import FEW, FIGURES, judging, reaches, replica, request_run
from tests.patience import HANG_SECONDS
from tests.ranking import ranking, score
from tests.reaping import reap
from tests.rows import accept_submission

RULES = {"cvs_acc": 0.5}


def changed(payload: bytes) -> bytes:
    """The same upload with one caption that nobody judged."""
    found = orjson.loads(gzip.decompress(payload))
    found[0]["prediction"] += " And something new."
    return gzip.compress(orjson.dumps(found), mtime=0)


async def judged_version(database: Database, grader: FakeGrader) -> UUID:
    """A model that is scored and judged; returns its submission."""
    stored = await accept_submission(database, "Model", FEW)
    await score(database, str(stored.submission_id), RULES)
    await announce_judge(database, grader.version, 1, figures=FIGURES)
    async with judging(database, [replica(database, grader)]):
        await reaches(database, await request_run(database, stored.submission_id), "completed")
    return stored.submission_id


async def new_version(database: Database, before: UUID, payload: bytes) -> UUID:
    """Store a new version as the gateway does, and score it as the scorer does."""
    store = SubmissionStore(database)
    found = await store.find(before)
    assert found is not None
    new = NewSubmission(
        uuid4(), uuid4(), SubmittedFields("Model", "Us", None, None, None, None, None),
        found.ground_truth_version, Checked({}, (), 0, "1" * 64, 1), payload, bytes(32), None,
        previous=found.entry,
    )  # fmt: skip
    await store.accept(new)
    await score(database, str(new.id), RULES)
    return new.id


async def state(database: Database, submission_id: UUID) -> tuple[str, bool]:
    """Its state, and whether it is on the board."""
    row = await database.pool.fetchrow(
        "SELECT s.state, e.listed AND e.removed_at IS NULL AS is_listed"
        " FROM submissions s JOIN entries e ON e.submission_id = s.id WHERE s.id = $1",
        submission_id,
    )
    assert row is not None
    return row["state"], row["is_listed"]


async def run_of(database: Database, submission_id: UUID) -> asyncpg.Record:
    """Its newest run, once that has ended."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            row = await database.pool.fetchrow(
                "SELECT * FROM judge_runs WHERE submission_id = $1"
                " ORDER BY created_at DESC LIMIT 1",
                submission_id,
            )
            if row is not None and row["state"] in ("completed", "failed"):
                return row
            await asyncio.sleep(0.02)


@deep
async def test_known_verdicts_fill_in_at_once_and_cost_nothing(database: Database) -> None:
    grader = FakeGrader()
    old = await judged_version(database, grader)
    paid = sum(grader.calls.values())
    new = await new_version(database, old, FEW)
    # The judge is away: neither version is lost, and the old one ranks.
    assert await state(database, old) == ("scored", True)
    assert await state(database, new) == ("scored", False)
    # The message of its scoring was lost, too: the judge's reaper finds it.
    await database.pool.execute("DELETE FROM outbox")
    await reap(database, OVERDUE, 15)
    async with judging(database, [replica(database, grader)]):
        run = await run_of(database, new)
    assert (run["state"], run["items_cached"]) == ("completed", run["items"])
    assert run["items"] > 0
    assert orjson.loads(run["estimate"])["seconds"] == 0  # what is stored takes no time
    assert sum(grader.calls.values()) == paid
    assert await state(database, old) == ("replaced", False)
    assert await state(database, new) == ("scored", True)
    values = await database.pool.fetch(
        "SELECT metric, array_agg(compat) AS both FROM scores"
        " WHERE judge_version IS NOT NULL GROUP BY metric"
    )
    assert values
    assert all(first == second for first, second in (row["both"] for row in values))


async def test_what_is_not_known_waits_for_its_owner(database: Database) -> None:
    grader = FakeGrader()
    old = await judged_version(database, grader)
    paid = sum(grader.calls.values())
    async with judging(database, [replica(database, grader)]):
        new = await new_version(database, old, changed(FEW))
        run = await run_of(database, new)
        assert (run["state"], run["reason"]) == ("failed", "verdicts_unknown")
        assert run["detail"].startswith("without a verdict: 1 of ")
        assert sum(grader.calls.values()) == paid
        assert await state(database, new) == ("scored", False)
        assert await state(database, old) == ("scored", True)
        await reap(database, OVERDUE, 15)  # once is enough
        assert await database.pool.fetchval("SELECT count(*) FROM judge_runs") == 2
        await reaches(database, await request_run(database, new), "completed")
    assert sum(grader.calls.values()) == paid + 1
    assert await state(database, old) == ("replaced", False)
    assert await state(database, new) == ("scored", True)


@pytest.mark.parametrize(
    ("reason", "takes_over"),
    some_of(
        (("over_budget", False), ("too_many_unscored", True), ("planning_failed", True)),
        ("too_many_unscored", True),
    ),
)
async def test_a_version_takes_over_once_its_judging_has_ended(
    database: Database, reason: str, takes_over: bool
) -> None:
    old = await judged_version(database, FakeGrader())
    new = await new_version(database, old, FEW)
    revision = "SELECT revision FROM boards WHERE board = 'community'"
    before = await database.pool.fetchval(revision)
    run_id = await request_run(database, new)
    await database.pool.execute(
        "UPDATE judge_runs SET state = 'failed', reason = $2 WHERE id = $1", run_id, reason
    )
    assert (await state(database, new))[1] is takes_over
    assert (await state(database, old))[1] is not takes_over
    assert (await database.pool.fetchval(revision) > before) is takes_over


async def test_a_version_that_waits_takes_over_what_is_withdrawn(database: Database) -> None:
    old = await judged_version(database, FakeGrader())
    new = await new_version(database, old, FEW)
    assert await Lifecycle(database).withdraw(old, "owner", None, None)
    assert await state(database, old) == ("withdrawn", False)
    assert await state(database, new) == ("scored", True)
    key = "SELECT name_key FROM entries WHERE submission_id = $1 AND NOT pending"
    assert await database.pool.fetchval(key, new) == "model"


@deep
async def test_a_version_that_waits_can_be_withdrawn(database: Database) -> None:
    old = await judged_version(database, FakeGrader())
    new = await new_version(database, old, FEW)
    assert await Lifecycle(database).withdraw(new, "owner", None, None)
    assert await state(database, old) == ("scored", True)
    assert await state(database, new) == ("withdrawn", False)


@deep
async def test_without_a_judge_nothing_is_waited_for(database: Database) -> None:
    old = await judged_version(database, FakeGrader())
    await database.pool.execute("UPDATE judge_service SET judge_version = NULL")
    new = await new_version(database, old, FEW)
    assert await state(database, old) == ("replaced", False)
    assert await state(database, new) == ("scored", True)


@deep
async def test_over_http_the_owner_sees_what_it_waits_for(database: Database) -> None:
    grader = FakeGrader()
    file = records()
    async with (
        running_gateway(database, board_poll_seconds=0.02) as gateway,
        ranking(database, gateway.bus),
        judging(database, [replica(database, grader)], gateway.bus),
    ):
        await announce_judge(database, grader.version, 1, figures=FIGURES)
        _, first = await gateway.submit(orjson.dumps(file), model_name="Model")
        await score(database, first["id"], RULES)
        owner = {"Authorization": f"Bearer {first['owner_token']}"}

        async def becomes(receipt: dict[str, str], **wanted: object) -> None:
            async with asyncio.timeout(HANG_SECONDS):
                while True:
                    found = await gateway.status(receipt["id"], receipt["owner_token"])
                    if all(found[name] == value for name, value in wanted.items()):
                        return
                    await asyncio.sleep(0.02)

        await becomes(first, state="ranked")
        path = f"/api/v1/submissions/{first['id']}/judge"
        async with gateway.client.post(path, headers=owner) as response:
            assert response.status == 202
        await run_of(database, UUID(first["id"]))
        texts = [record for record in file if record["qa_type"].startswith("video_summary")]
        texts[0]["prediction"] += " and more"
        _, second = await gateway.submit(
            orjson.dumps(file), headers=owner, replaces=first["id"], model_name="Model"
        )
        await score(database, second["id"], RULES)
        await becomes(second, state="scored", waits_for_judging=True, final=True)
        await becomes(first, state="ranked")
        _, problem = await gateway.submit(
            orjson.dumps(file), headers=owner, replaces=first["id"], model_name="Model"
        )
        assert problem["code"] == "replacement_pending"
        headers = {"Authorization": f"Bearer {second['owner_token']}"}
        _, problem = await gateway.submit(
            orjson.dumps(file), headers=headers, replaces=second["id"], model_name="Model"
        )
        assert problem["code"] == "replacement_pending"
        path = f"/api/v1/submissions/{second['id']}/judge"
        async with gateway.client.post(path, headers=headers) as response:
            assert response.status == 202
        await becomes(second, state="ranked", waits_for_judging=False)
        await becomes(first, state="replaced")
