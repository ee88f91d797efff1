"""`medvid admin calibrate-judge` with the stub judge over real HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.judging import standin
from services.operate.calibrate import calibrate_judge
from shared.storage.database import Database


def write(path: Path) -> Path:
    lines = []
    for number in range(40):
        pair = CaptionPair(f"prediction {number}", f"reference {number}")
        labelled = {**pair._asdict(), "qa_type": "region_caption", "scores": standin.judge(pair)}
        lines.append(json.dumps(labelled))
    path.write_text("\n".join(lines))
    return path


async def test_the_configured_judge_is_asked_and_named(
    postgres_url: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MEDVID_DATABASE_URL", postgres_url)
    labelled = write(tmp_path / "labelled.jsonl")
    assert await asyncio.to_thread(calibrate_judge, labelled, as_json=True) == 1
    assert "there is no judge" in capsys.readouterr().err
    monkeypatch.setenv("MEDVID_JUDGE_PROVIDER", "stub")
    assert await asyncio.to_thread(calibrate_judge, labelled, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["judge_version"]["provider"] == "stub"
    assert len(found["judge_version"]["hash"]) == 64
    assert found["overall"]["spearman"] == pytest.approx(1)
    assert (found["overall"]["pairs"], found["unscored"]) == (40, 0)
    # It stays with the judge's version, whose numbers are shown together with it.
    kept = await database.pool.fetchrow(
        "SELECT judge_version, report::text FROM judge_calibrations"
    )
    assert kept is not None
    assert kept["judge_version"] == found["judge_version"]["hash"]
    assert json.loads(kept["report"])["overall"]["pairs"] == 40
