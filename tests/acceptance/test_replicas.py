"""Many replicas, and messages that come twice, in any order, or broken: the same board as ever."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from medvid.benchmark.disclosure import withheld
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.scorecard import score
from medvid.benchmark.tasks import METRIC_KEYS
from services.ranker import app as ranker
from services.ranker.board import Entry, ranked_board
from services.ranker.settings import RankerSettings
from services.scorer import app as scorer
from services.scorer.settings import ScorerSettings
from shared.messaging.bus import Outgoing
from shared.runtime.infrastructure import Infrastructure, infrastructure
from shared.storage.database import Database
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.rows import DEMO, accept_submission

MODELS = 6
PATIENCE_SECONDS = HANG_SECONDS


@pytest.fixture(params=[pytest.param("local", marks=deep), "rabbit"])
def settings(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> dict[str, Any]:
    values = {
        "database_url": postgres_url,
        "data_dir": tmp_path,
        "scorer_processes": 1,
        "outbox_poll_seconds": 0.1,
        "similarities": False,  # which nobody waits for
    }
    if request.param == "rabbit":
        values["rabbitmq_url"] = request.getfixturevalue("rabbit_url")
    return values


@deep
async def test_two_of_each_give_the_board_of_one(
    settings: dict[str, Any], database: Database
) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with replicas(settings, 2):
            await submit_all(database)
            board = await board_when_ranked(database)
    assert board == await expected_board()
    await assert_nothing_doubled(database)


async def test_doubled_reordered_and_broken_deliveries_change_nothing(
    settings: dict[str, Any], database: Database
) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with replicas(settings, 1) as base:
            await submit_all(database)
            await board_when_ranked(database)
            rows = await database.pool.fetch("SELECT message_id, type, body FROM outbox")
            again = [Outgoing(*row) for row in rows] * 2
            again += [
                Outgoing(uuid4(), kind, body)
                for kind in ("submission.accepted", "scoring.completed")
                for body in (b"", b"{}", b"\xff", b'{"id":' + b"[" * 1000)
            ]
            random.Random(4).shuffle(again)  # noqa: S311 - a shuffle, no secret
            await base.bus.publish(again)
            while await database.pool.fetchval("SELECT count(*) FROM dead_letters") < 8:
                await asyncio.sleep(0.05)
            # What follows the disturbance is served as before it.
            await accept_submission(database, "The last", payload_of(99))
            names = {row["model_name"] for row in await board_when_ranked(database)}
    assert len(names) == MODELS + 1
    await assert_nothing_doubled(database, extra=1)


@asynccontextmanager
async def replicas(values: dict[str, Any], count: int) -> AsyncIterator[Infrastructure]:
    """Run `count` scorers and rankers; yields one infrastructure."""
    async with AsyncExitStack() as stack:
        for _ in range(count):
            for settings_type, run in ((ScorerSettings, scorer.run), (RankerSettings, ranker.run)):
                one = settings_type(**values)
                base = await stack.enter_async_context(infrastructure(one, name="replica"))
                await stack.enter_async_context(run(base, one))  # type: ignore[operator]
        yield base


def payload_of(number: int) -> bytes:
    """The demo's predictions with some answers taken away: another model each."""
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    for record in records[:: number + 2]:
        record["prediction"] = ""
    return gzip.compress(orjson.dumps(records))


async def submit_all(database: Database) -> None:
    for number in range(MODELS):
        await accept_submission(database, f"Model {number}", payload_of(number))


async def board_when_ranked(database: Database) -> list[dict[str, Any]]:
    """The newest compat rows, without ids, once every submission is ranked."""
    while await database.pool.fetchval("SELECT count(*) FROM submissions WHERE state <> 'ranked'"):
        await asyncio.sleep(0.05)
    content = await database.pool.fetchval(
        "SELECT content FROM snapshots WHERE scoring = 'compat' ORDER BY id DESC LIMIT 1"
    )
    rows: list[dict[str, Any]] = json.loads(content)
    for row in rows:
        row["entry_id"] = row["submission_id"] = None
    return rows


_expected: list[dict[str, Any]] = []


async def expected_board() -> list[dict[str, Any]]:
    """What the pure functions make of the same files, without any service."""
    if not _expected:
        truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
        entries = []
        for number in range(MODELS):
            records = orjson.loads(gzip.decompress(payload_of(number)))
            card = score(truth.samples, [r["prediction"] for r in records], load_embedder())
            values = {key: metric.compat for key, metric in card.metrics.items()}
            reasons = {
                key: withheld(key, m.answered, m.expected) for key, m in card.metrics.items()
            }
            entries.append(
                Entry(
                    entry_id=UUID(int=0), submission_id=None, model_name=f"Model {number}",
                    organization="Us", team=None, authors=None, model_url=None, track=None,
                    badges=(), submitted_on=datetime.now(UTC).date(), verified_on=None,
                    values={"compat": {**dict.fromkeys(METRIC_KEYS), **values}, "strict": {}},
                    withheld={key: reason for key, reason in reasons.items() if reason},
                )
            )  # fmt: skip
        _expected.extend(json.loads(ranked_board(entries, "compat", "competition").content))
    return [{**row, "entry_id": None, "submission_id": None} for row in _expected]


async def assert_nothing_doubled(database: Database, extra: int = 0) -> None:
    models = MODELS + extra
    assert await database.pool.fetchval("SELECT count(*) FROM scores") == 7 * models
    assert await database.pool.fetchval("SELECT count(*) FROM entries WHERE listed") == models
    doubled = await database.pool.fetchval(
        "SELECT count(*) FROM (SELECT board, scoring, revision FROM snapshots"
        " GROUP BY 1, 2, 3 HAVING count(*) > 1) AS doubled"
    )
    assert doubled == 0
    revision = await database.pool.fetchrow("SELECT * FROM boards WHERE board = 'community'")
    assert revision is not None
    assert revision["revision"] == revision["ranked_revision"] == models
