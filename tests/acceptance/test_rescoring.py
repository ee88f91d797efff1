"""Re-scoring: its difference is exact and shown first, it is put in force whole, no kill hurts."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from medvid.benchmark.disclosure import withheld
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.ranking import rank
from medvid.benchmark.results import MetricScore
from medvid.benchmark.scorecard import score
from medvid.benchmark.tasks import METRIC_KEYS, RULE_METRIC_KEYS, SCORINGS, Scoring
from medvid.benchmark.versions import METRIC_VERSION
from shared.storage.database import Database
from tests.acceptance.administration_harness import WHY, Site, running_site
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.preloaded import forked
from tests.rows import DEMO, accept_submission, add_listed_entry

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = HANG_SECONDS
RIVAL = dict.fromkeys(METRIC_KEYS, 0.5)


@cache
def truth(corrected: bool) -> bytes:
    """The demo's ground truth, as it is or with another truth for two tasks."""
    records = orjson.loads(gzip.decompress((DEMO / "ground_truth.json.gz").read_bytes()))
    for record in records if corrected else ():
        if record["qa_type"] == "cvs_assessment" and record["struc_info"]:
            scores = record["struc_info"][0]["cvs_scores"]
            record["struc_info"][0]["cvs_scores"] = {
                name: 2 - n for name, n in scores.items() if n < 3
            }
        if record["qa_type"] == "tal":
            for item in record["struc_info"]:
                item["spans"] = item["spans"][:1]
    return orjson.dumps(records)


@cache
def predictions(kind: str) -> bytes:
    """The demo's predictions (gzip), as they are or without those of one task."""
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    for record in records:
        if record["qa_type"] == kind:
            record["prediction"] = "nothing"
    return gzip.compress(orjson.dumps(records), mtime=0)


@cache
def scored(kind: str, corrected: bool) -> Mapping[str, MetricScore]:
    """What scoring the file directly gives."""
    records = orjson.loads(gzip.decompress(predictions(kind)))
    samples = load_ground_truth(truth(corrected)).samples
    return score(samples, [record["prediction"] for record in records], load_embedder()).metrics


def expected(kind: str, corrected: bool, scoring: Scoring) -> dict[str, float | None]:
    return {key: getattr(found, scoring) for key, found in scored(kind, corrected).items()}


def expected_on_boards(kind: str, corrected: bool, scoring: Scoring) -> dict[str, float | None]:
    """The same as boards may know it: what rests on too few answers is missing."""
    return {
        key: None if withheld(key, found.answered, found.expected) else getattr(found, scoring)
        for key, found in scored(kind, corrected).items()
    }


MODELS = {"Model A": "none", "Model B": "cvs_assessment", "Model C": "tal"}


@pytest.fixture(params=["local", pytest.param("rabbit", marks=deep)])
async def site(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Site]:
    url = request.getfixturevalue("rabbit_url") if request.param == "rabbit" else None
    async with running_site(database, url, scoring=True) as site:
        yield site


async def fill(database: Database) -> dict[str, UUID]:
    """Three submissions to be scored, and a rival with given scores."""
    entries = {
        name: (await accept_submission(database, name, predictions(kind))).entry_id
        for name, kind in MODELS.items()
    }
    return entries | {"Rival": await add_listed_entry(database, "Rival", RIVAL)}


async def filled(site: Site) -> dict[str, UUID]:
    entries = await fill(site.database)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await site.board("community")) < len(entries):
            await asyncio.sleep(0.05)
    return entries


async def load_corrected(site: Site) -> str:
    headers = {"Authorization": f"Bearer {'the-administrators-own-and-long-key'}"}
    path = f"/api/v1/admin/ground-truths?why={WHY}"
    packed = gzip.compress(truth(True))
    headers["Content-Type"] = "application/gzip"
    async with site.client.post(path, data=packed, headers=headers) as response:
        loaded = await response.json()
        assert response.status == 201, loaded
    assert loaded["new"]
    assert not loaded["current"]
    return str(loaded["version"])


async def until(site: Site, job: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status, detail = await site.ask("GET", f"/admin/rescores/{job}")
            assert status == 200, detail
            if detail["job"]["state"] == state:
                found: dict[str, Any] = detail
                return found
            await asyncio.sleep(0.05)


def check_difference(detail: dict[str, Any], entries: dict[str, UUID], rescored: set[str]) -> None:
    """Hold the difference against ranks and values computed here from the files."""
    for scoring in SCORINGS:
        sides = []
        for corrected in (False, True):
            rows: list[dict[str, Any]] = []
            on_board: list[dict[str, Any]] = []
            for name, kind in MODELS.items():
                file = kind, corrected and name in rescored, scoring
                rows.append({"model_name": name, **expected(*file)})
                on_board.append({"model_name": name, **expected_on_boards(*file)})
            given = {"model_name": "Rival", **(RIVAL if scoring == "compat" else {})}
            rows.append(given)
            ranked, unranked = rank([*on_board, given])
            places = {row.model_name: (row.rank, row.mean_rank) for row in ranked}
            places |= {rows[index]["model_name"]: (None, None) for index in unranked}
            sides.append((rows, places))
        (old, before), (new, after) = sides
        shown = detail["boards"]["community"][scoring]
        assert [row["model_name"] for row in shown] == list(after)
        for row in shown:
            name = row["model_name"]
            assert row["entry_id"] == str(entries[name])
            assert row["rescored"] == (name in rescored)
            for index, field in enumerate(("rank", "mean_rank")):
                assert row[field] == {"before": before[name][index], "after": after[name][index]}
            was = next(line for line in old if line["model_name"] == name)
            now = next(line for line in new if line["model_name"] == name)
            assert row["values"] == {
                key: {"before": was.get(key), "after": now.get(key)}
                for key in METRIC_KEYS
                if was.get(key) != now.get(key)
            }
        assert detail["boards"]["official"][scoring] == []
    moved = [row for row in detail["boards"]["community"]["compat"] if row["values"]]
    assert {row["model_name"] for row in moved} == rescored, "a difference that shows nothing"


async def test_a_new_ground_truth_is_shown_first_and_then_put_in_force(site: Site) -> None:
    entries = await filled(site)
    before = await site.board("community")
    version = await load_corrected(site)
    job = await site.done("/rescores", ground_truth=version)
    assert (job["state"], job["items"]) == ("scoring", 3)
    assert await site.refused("/rescores") == (409, "rescore_unfinished")

    detail = await until(site, job["id"], "ready")
    check_difference(detail, entries, set(MODELS))
    assert detail["job"]["metric_version"] == METRIC_VERSION
    assert detail["left_out"] == detail["judged_otherwise"] == detail["failures"] == []
    assert await site.board("community") == before, "nothing is in force yet"

    # The boards change after it was looked at: then it is looked at again.
    await site.done(f"/entries/{entries['Rival']}/edit", team="T")
    await site.board("community")
    path = f"/rescores/{job['id']}/apply"
    assert await site.refused(path, preview=1) == (409, "preview_outdated")
    assert (await until(site, job["id"], "ready"))["job"]["preview"] == 2
    assert await site.refused(path, preview=1) == (409, "preview_outdated")

    assert (await site.done(path, preview=2, make_current=True))["changed"]
    board = await site.board("community")
    for name, kind in MODELS.items():
        values = expected_on_boards(kind, True, "compat")
        assert {key: board[name]["values"][key] for key in RULE_METRIC_KEYS} == {
            key: None if value is None else round(round(value, 4), 3)
            for key, value in values.items()
        }
    shown = {row["model_name"]: row["rank"]["after"] for row in check_order(detail)}
    assert {name: row["rank"] for name, row in board.items()} == shown

    again = await site.done(path, preview=2)
    assert not again["changed"]
    pool = site.database.pool
    assert await pool.fetchval("SELECT version FROM ground_truths WHERE active") == version
    versions = await pool.fetch(
        "SELECT DISTINCT ground_truth_version FROM scores WHERE metric_version IS NOT NULL"
    )
    assert [row[0] for row in versions] == [version]
    assert await pool.fetchval("SELECT count(*) FROM shadow_scores") == 0
    assert [line["action"] for line in await site.audit(subject_kind="rescore")] == [
        "apply_rescore",
        "rescore",
    ]


def check_order(detail: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = detail["boards"]["community"]["compat"]
    assert [row["rank"]["after"] for row in rows] == list(range(1, len(rows) + 1))
    return rows


@deep
async def test_some_entries_only_and_discarded(database: Database) -> None:
    async with running_site(database, scoring=True) as site:
        entries = await filled(site)
        before = await site.board("community")
        version = await load_corrected(site)
        assert await site.refused("/rescores", entries=[str(entries["Rival"])]) == (
            409,
            "nothing_to_rescore",
        )
        assert await site.refused("/rescores", board="official") == (409, "nothing_to_rescore")
        assert await site.refused("/rescores", ground_truth="0" * 64) == (
            404,
            "ground_truth_not_found",
        )
        job = await site.done("/rescores", ground_truth=version, entries=[str(entries["Model B"])])
        detail = await until(site, job["id"], "ready")
        check_difference(detail, entries, {"Model B"})
        assert set(detail["left_out"]) == {str(entries["Model A"]), str(entries["Model C"])}
        assert (await site.done(f"/rescores/{job['id']}/discard"))["changed"]
        assert not (await site.done(f"/rescores/{job['id']}/discard"))["changed"]
        assert await site.refused(f"/rescores/{job['id']}/apply", preview=1) == (
            409,
            "rescore_not_ready",
        )
        assert await site.board("community") == before
        assert await database.pool.fetchval("SELECT count(*) FROM shadow_scores") == 0

        # A file that is gone fails with its reason, and holds nothing up that is wanted without it.
        job = await site.done("/rescores", ground_truth=version)
        detail = await until(site, job["id"], "ready")
        await database.pool.execute(
            "UPDATE rescore_jobs SET state = 'scored' WHERE state = 'ready'"
        )
        await database.pool.execute(
            "UPDATE rescore_jobs SET state = 'scoring' WHERE state = 'scored'"
        )
        await database.pool.execute(
            "UPDATE rescore_items SET state = 'failed', metric_version = NULL, failure_code = 'x',"
            " failure_reason = 'y' WHERE entry_id = $1",
            entries["Model A"],
        )
        detail = await until(site, job["id"], "ready")
        assert [each["model_name"] for each in detail["failures"]] == ["Model A"]
        path, number = f"/rescores/{job['id']}/apply", detail["job"]["preview"]
        assert await site.refused(path, preview=number) == (409, "rescore_failures")
        await site.done(path, preview=number, without_failed=True)
        board = await site.board("community")
        for name, corrected in (("Model A", False), ("Model B", True), ("Model C", True)):
            value = expected_on_boards(MODELS[name], corrected, "compat")["cvs_acc"]
            assert board[name]["values"]["cvs_acc"] == (value and round(round(value, 4), 3))


@deep
@pytest.mark.parametrize(
    ("point", "on"),
    [("before_settle", "rabbit"), pytest.param("before_commit", "local", marks=deep)],
)
async def test_a_kill_in_the_middle_changes_nothing(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path, point: str, on: str
) -> None:
    """The scorer dies at its first entry, or with the last one's commit; then it comes back."""
    rabbit_url = request.getfixturevalue("rabbit_url") if on == "rabbit" else None
    async with running_site(database, rabbit_url, scoring=True) as site:
        entries = await filled(site)
        version = await load_corrected(site)
    environment = {
        "MEDVID_DATABASE_URL": str(request.getfixturevalue("postgres_url")),
        "MEDVID_DATA_DIR": str(tmp_path),
        "MEDVID_SCORER_PROCESSES": "1",
        **({"MEDVID_RABBITMQ_URL": rabbit_url} if rabbit_url else {}),
    }
    async with running_site(database, rabbit_url) as site:
        job = await site.done("/rescores", ground_truth=version)
        process = await forked("tests.crashing", "scorer", point, env={**os.environ, **environment})
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await process.wait() == -signal.SIGKILL
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert await site.refused(f"/rescores/{job['id']}/apply", preview=1) in (
            (409, "rescore_not_ready"),
            (409, "preview_outdated"),
        )
    async with running_site(database, rabbit_url, scoring=True) as site:
        detail = await until(site, job["id"], "ready")
        check_difference(detail, entries, set(MODELS))
        assert await database.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
        await site.done(f"/rescores/{job['id']}/apply", preview=detail["job"]["preview"])
        shown = {row["model_name"]: row["rank"]["after"] for row in check_order(detail)}
        board = await site.board("community")
        assert {name: row["rank"] for name, row in board.items()} == shown
