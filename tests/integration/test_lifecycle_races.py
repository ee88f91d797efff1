"""Submissions withdrawn, replaced, scored and ranked all at once: nobody waits for ever."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.gateway.submissions.forms import SubmittedFields
from services.gateway.submissions.lifecycle import Lifecycle
from services.gateway.submissions.records import Checked, NewSubmission, StoredEntry
from services.gateway.submissions.store import SubmissionStore
from shared.messaging.bus import Bus
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.bus import connect_rabbit
from shared.runtime.errors import Conflict
from shared.storage.database import Database
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.ranking import ranking, score
from tests.rows import load_demo_ground_truth

MODELS = 12
_FINAL = {"ranked", "withdrawn", "replaced"}


async def submit(
    store: SubmissionStore, version: str, name: str, previous: StoredEntry | None = None
) -> UUID:
    """Store a submission as the gateway does; returns its id."""
    submission_id = uuid4()
    fields = SubmittedFields(name, "Lab", None, None, None, None, None)
    checked = Checked({}, (), 0, "0" * 64, 1)
    await store.accept(
        NewSubmission(
            submission_id, uuid4(), fields, version, checked, b"x", bytes(32), None,
            previous=previous,
        )
    )  # fmt: skip
    return submission_id


async def test_everything_at_once_adds_up(database: Database) -> None:
    version = await load_demo_ground_truth(database)
    store, lifecycle = SubmissionStore(database), Lifecycle(database)
    chance = random.Random(7)  # noqa: S311 - the same course of events every time

    async def life(number: int) -> None:
        """A model, a new version of it, and perhaps a change of mind at any moment."""
        name = f"model {number}"
        first = await submit(store, version, name)
        await score(database, str(first), {"cvs_acc": number / 100})
        found = await store.find(first)
        assert found is not None
        second = await submit(store, version, name, found.entry)
        steps: list[Coroutine[None, None, object]] = [
            score(database, str(second), {"cvs_acc": number / 50})
        ]
        if number % 3 == 1:
            steps.append(lifecycle.withdraw(first, "owner", None, None))
        if number % 3 == 2:
            steps.append(lifecycle.withdraw(second, "owner", None, None))
        chance.shuffle(steps)
        done = await asyncio.gather(*steps, return_exceptions=True)
        # Only scoring may fail here, as the scorer would notice: what was withdrawn before it.
        failed = [each for each in done if isinstance(each, BaseException)]
        assert all(isinstance(each, asyncpg.CheckViolationError) for each in failed), failed

    async with ranking(database, LocalBus(database)), asyncio.timeout(HANG_SECONDS):
        await asyncio.gather(*(life(number) for number in range(MODELS)))
        while {
            row["state"] for row in await database.pool.fetch("SELECT state FROM submissions")
        } - _FINAL or await database.pool.fetchval(
            "SELECT bool_or(ranked_revision < revision) FROM boards"
        ):
            await asyncio.sleep(0.02)
    entries = await database.pool.fetch(
        "SELECT e.*, s.state FROM entries e JOIN submissions s ON s.id = e.submission_id"
    )
    standing = [row for row in entries if row["removed_at"] is None]
    assert all((row["state"] == "ranked") is (row["removed_at"] is None) for row in entries)
    assert len({row["name_key"] for row in standing}) == len(standing)
    assert not any(row["pending"] for row in standing)
    content = await database.pool.fetchval(
        "SELECT content FROM snapshots WHERE board = 'community' AND scoring = 'compat'"
        " ORDER BY id DESC LIMIT 1"
    )
    assert {row["entry_id"] for row in json.loads(content)} == {str(row["id"]) for row in standing}


async def test_rivals_for_the_same_succession_get_one(database: Database) -> None:
    version = await load_demo_ground_truth(database)
    store, lifecycle = SubmissionStore(database), Lifecycle(database)
    for _ in range(5):
        first = await submit(store, version, "model")
        await score(database, str(first), {"cvs_acc": 0.5})
        found = await store.find(first)
        assert found is not None
        done = await asyncio.gather(
            *(submit(store, version, "model", found.entry) for _ in range(4)),
            lifecycle.withdraw(first, "owner", None, None),
            return_exceptions=True,
        )
        accepted = [each for each in done if isinstance(each, UUID)]
        refused = {each.error_code for each in done if isinstance(each, Conflict)}
        assert len(accepted) <= 1
        assert refused <= {"replacement_pending", "not_replaceable"}
        holders = await database.pool.fetch(
            "SELECT submission_id FROM entries WHERE name_key = 'model' AND removed_at IS NULL"
        )
        assert [row["submission_id"] for row in holders] == accepted  # the name is theirs, or free
        for submission_id in accepted:
            await lifecycle.withdraw(submission_id, "owner", None, None)


@pytest.mark.parametrize("kind", ["local", pytest.param("rabbit", marks=deep)])
async def test_what_owners_do_reaches_the_board_on_both_buses(
    database: Database, request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "rabbit":
        bus: Bus = await connect_rabbit(request.getfixturevalue("rabbit_url"))
    else:
        bus = LocalBus(database)
    version = await load_demo_ground_truth(database)
    store, lifecycle = SubmissionStore(database), Lifecycle(database)
    try:
        async with ranking(database, bus), asyncio.timeout(HANG_SECONDS):
            first = await submit(store, version, "model")
            await score(database, str(first), {"cvs_acc": 0.5})
            await on_board(database, first)
            found = await store.find(first)
            assert found is not None
            second = await submit(store, version, "model", found.entry)
            await score(database, str(second), {"cvs_acc": 0.6})
            await on_board(database, second)
            await lifecycle.withdraw(second, "owner", None, None)
            await on_board(database)
    finally:
        await bus.close()


async def on_board(database: Database, *submissions: UUID) -> None:
    """Wait until the newest board shows exactly these submissions."""
    while True:
        content = await database.pool.fetchval(
            "SELECT content FROM snapshots WHERE board = 'community' AND scoring = 'compat'"
            " ORDER BY id DESC LIMIT 1"
        )
        shown = {row["submission_id"] for row in json.loads(content or b"[]")}
        if shown == {str(submission) for submission in submissions}:
            return
        await asyncio.sleep(0.02)
