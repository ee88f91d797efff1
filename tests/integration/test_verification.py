"""`medvid admin compare`: an entry's file beside one that the maintainers made."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import orjson
import pytest

from medvid.benchmark.tasks import Task, task_of
from shared.storage.database import Database
from tests.integration.test_operations_commands import medvid
from tests.rows import DEMO, accept_submission


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    monkeypatch.setenv("MEDVID_DATABASE_URL", postgres_url)


def remade(folder: Path) -> Path:
    """The demo's predictions with no next action as it was, and other spaces around each text."""
    rows = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    for row in rows:
        row["prediction"] += "\n"
        if task_of(row["qa_type"]) is Task.NEXT_ACTION:
            row["prediction"] = "nothing at all"
    file = folder / "remade.json"
    file.write_bytes(orjson.dumps(rows))
    return file


@pytest.mark.usefixtures("installed")
async def test_a_file_of_the_maintainers_is_compared_and_the_report_kept(
    database: Database, tmp_path: Path
) -> None:
    stored = await accept_submission(database)
    entry = str(stored.entry_id)
    status, said = await asyncio.to_thread(
        medvid, "compare", entry, str(remade(tmp_path)), "--why", "to verify it", "--json"
    )
    assert status == 0, said
    report = json.loads(said)
    actions = report["agreement"].pop("next_action")
    assert actions["both"] == actions["samples"] > actions["identical"] == 0
    for counts in report["agreement"].values():
        assert counts["samples"] == counts["both"] == counts["identical"] == counts["parsed_alike"]
    metrics = report["metrics"]
    assert metrics["nap_acc"]["difference"] > 0
    assert metrics["nap_acc"]["decision"] == "beyond chance"
    assert metrics["stg_miou"]["difference"] == 0
    assert "1 of 7" in report["summary"]
    line = await database.pool.fetchrow("SELECT * FROM audit_log WHERE action = 'compare'")
    assert (line["id"], line["subject"], line["why"]) == (
        report.pop("audit_line"), entry, "to verify it",
    )  # fmt: skip
    assert json.loads(line["after"])["entry"] == entry


@pytest.mark.usefixtures("installed")
async def test_what_cannot_be_compared_is_named(database: Database, tmp_path: Path) -> None:
    await accept_submission(database)
    file = remade(tmp_path)
    for name, why, says in (
        ("Nobody", "x", "No entry 'Nobody' has a file"),
        ("A model", " ", "The reason is missing"),
    ):
        status, said = await asyncio.to_thread(medvid, "compare", name, str(file), "--why", why)
        assert (status, says in said) == (1, True), said
