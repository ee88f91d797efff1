"""`medvid admin calibrate-judge` with the stub judge over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.cli.failures import CommandFailed
from medvid.judging import standin
from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from services.operate.calibrate import calibrate_judge
from shared.storage.database import Database
from tests.depth import deep

_SCORED = "SELECT count(*) FROM judge_verdicts WHERE scores IS NOT NULL"


def write(path: Path, numbers: range = range(120)) -> Path:
    lines = []
    for number in numbers:
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
    with pytest.raises(CommandFailed, match="no judge is set up"):
        await asyncio.to_thread(calibrate_judge, labelled, as_json=True)
    monkeypatch.setenv("MEDVID_JUDGE_PROVIDER", "stub")
    assert await asyncio.to_thread(calibrate_judge, labelled, probes=0, dry_run=True) == 0
    assert "120 calls to make" in capsys.readouterr().err
    assert await database.pool.fetchval("SELECT count(*) FROM judge_verdicts") == 0
    assert await asyncio.to_thread(calibrate_judge, labelled, probes=5, as_json=True) == 0
    said = capsys.readouterr()
    assert "130 calls to make" in said.err  # of one sentence each: nothing to reverse
    found = json.loads(said.out)
    assert found["judge_version"]["provider"] == "stub"
    assert len(found["judge_version"]["hash"]) == 64
    assert found["overall"]["spearman"] == pytest.approx(1)
    assert (found["overall"]["pairs"], found["unscored"]) == (120, 0)
    assert {"retest_alpha", "duplication_bias"} < set(found)
    # It stays with the judge's version, whose numbers are shown together with it.
    kept = await database.pool.fetchrow(
        "SELECT judge_version, report::text FROM judge_calibrations"
    )
    assert kept is not None
    assert kept["judge_version"] == found["judge_version"]["hash"]
    assert json.loads(kept["report"])["overall"]["pairs"] == 120
    # Every verdict is kept: a second time nothing is asked, and the judge can be compared.
    assert await asyncio.to_thread(calibrate_judge, labelled, probes=5, as_json=True) == 0
    said = capsys.readouterr()
    assert "0 calls to make" in said.err
    assert json.loads(said.out)["overall"] == found["overall"]
    start = found["judge_version"]["hash"][:8]
    assert await asyncio.to_thread(calibrate_judge, labelled, comparing=(start, start)) == 0
    assert "may be chance" in capsys.readouterr().out
    with pytest.raises(CommandFailed, match="does not begin any judge version"):
        await asyncio.to_thread(calibrate_judge, labelled, comparing=(start, "zz"))


async def test_its_estimate_follows_the_verdicts_and_is_that_of_calls(
    postgres_url: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of a model that reasons, whose runs travel in batches at half the price."""
    first = write(tmp_path / "first.jsonl", range(60))
    second = write(tmp_path / "second.jsonl", range(60, 120))
    async with running_stub(Stub(Faults(reasoning_tokens=300))) as url:
        for name, value in {
            "PROVIDER": "openai", "MODEL": MODEL, "BASE_URL": url, "REASONING_EFFORT": "low",
            "MAX_TOKENS": "4000", "TOKEN_PARAMETER": "max_completion_tokens",
            "BATCH_API": "openai", "PRICES": json.dumps({MODEL: {"input": 2, "output": 8}}),
        }.items():  # fmt: skip
            monkeypatch.setenv(f"MEDVID_JUDGE_{name}", value)
        monkeypatch.setenv("MEDVID_DATABASE_URL", postgres_url)
        await asyncio.to_thread(calibrate_judge, first, probes=0)
        assert await database.pool.fetchval(_SCORED) == 60
        capsys.readouterr()
        await asyncio.to_thread(calibrate_judge, second, probes=0)
    said = capsys.readouterr().err
    (expected,) = re.findall(r"about ([0-9.]+) USD", said)
    (cost,) = re.findall(r"Cost ([0-9.]+) USD", said)
    assert float(expected) == pytest.approx(float(cost), rel=0.1)


@deep
async def test_one_bad_reply_ends_nothing_and_what_is_missing_is_asked_again(
    postgres_url: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Some replies are no verdicts, also when they are asked for again; the server stays so."""
    labelled = write(tmp_path / "labelled.jsonl")
    async with running_stub(Stub(Faults(malformed=0.3))) as url:
        monkeypatch.setenv("MEDVID_DATABASE_URL", postgres_url)
        monkeypatch.setenv("MEDVID_JUDGE_PROVIDER", "stub")
        monkeypatch.setenv("MEDVID_JUDGE_BASE_URL", url)
        await asyncio.to_thread(calibrate_judge, labelled, probes=0, as_json=True)
        found = json.loads(capsys.readouterr().out)
        assert 0 < found["unscored"] < 120
        scored = await database.pool.fetchval(_SCORED)
        assert scored == 120 - found["unscored"]
        await asyncio.to_thread(calibrate_judge, labelled, probes=0, as_json=True)
        assert f"{found['unscored']} calls to make" in capsys.readouterr().err
    assert await database.pool.fetchval(_SCORED) > scored
