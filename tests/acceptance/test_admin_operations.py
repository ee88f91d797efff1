"""Dead letters, ground truth, judging held and keys, through the API; the commands over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from medvid.benchmark.tasks import METRIC_KEYS
from shared.contracts.messages import Envelope, JudgingRequested, SubmissionAccepted
from shared.storage.database import Database
from tests.acceptance.administration_harness import KEY, WHY, Site, running_site
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.preloaded import with_pipes
from tests.rows import DEMO, accept_submission, add_listed_entry

VALUES = dict.fromkeys(METRIC_KEYS, 0.5)


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(database, ground_truth_dir=tmp_path) as site:
        yield site


async def bury(database: Database, body: bytes, queue: str, reason: str = "crashed") -> int:
    """Record a dead letter as a consumer would."""
    letter: int = await database.pool.fetchval(
        "INSERT INTO dead_letters (queue, message_id, type, reason, detail, attempts, body)"
        " VALUES ($1, $2, $3, $4, 'it crashed 3 times', 3, $5) RETURNING id",
        queue, uuid4(), "submission.accepted", reason, body,
    )  # fmt: skip
    return letter


async def outbox(database: Database) -> list[dict[str, Any]]:
    rows = await database.pool.fetch("SELECT type, body FROM outbox ORDER BY position")
    return [orjson.loads(row["body"]) for row in rows]


async def test_a_replayed_submission_is_scored_after_all(database: Database) -> None:
    """Its death failed it and freed its name; the replay brings both back."""
    stored = await accept_submission(database, "Model A")
    letter = await bury(
        database,
        Envelope.wrap(SubmissionAccepted(submission_id=stored.submission_id)).to_bytes(),
        "scorer.submissions",
    )
    await database.pool.execute("DELETE FROM outbox")
    await database.pool.execute(
        "UPDATE submissions SET state = 'failed', failure_code = 'x', failure_reason = 'y'"
    )
    await database.pool.execute("UPDATE entries SET removed_at = now()")
    async with running_site(database, scoring=True) as site:
        rival = await add_listed_entry(database, "Model a", VALUES)
        (taken,) = (await site.done("/dead-letters/replay", ids=[letter]))["letters"]
        assert not taken["changed"]
        assert "name" in taken["problem"]
        assert await database.pool.fetchval("SELECT state FROM submissions") == "failed"
        await site.done(f"/entries/{rival}/remove")

        (done,) = (await site.done("/dead-letters/replay", all=True))["letters"]
        assert done == {"id": letter, "changed": True, "problem": None}
        async with asyncio.timeout(HANG_SECONDS):
            while await database.pool.fetchval("SELECT state FROM submissions") != "ranked":
                await asyncio.sleep(0.05)
        assert set(await site.board("community")) == {"Model A"}
        (again,) = (await site.done("/dead-letters/replay", ids=[letter]))["letters"]
        assert not again["changed"]
        assert [line["action"] for line in await site.audit(subject_kind="dead_letter")] == [
            "replay"
        ]


async def test_dead_letters_are_listed_and_discarded_with_their_reason(site: Site) -> None:
    broken = await bury(site.database, b"no envelope", "judge.batches", "malformed_message")
    run = Envelope.wrap(JudgingRequested(submission_id=uuid4(), run_id=uuid4()))
    whole = await bury(site.database, run.to_bytes(), "judge.requests")
    _, page = await site.ask("GET", "/admin/dead-letters")
    assert [(each["id"], each["reason"]) for each in page["letters"]] == [
        (whole, "crashed"),
        (broken, "malformed_message"),
    ]
    assert page["letters"][0]["message"] == run.data
    assert page["letters"][1]["message"] is None
    replayed = (await site.done("/dead-letters/replay", ids=[broken, 999]))["letters"]
    assert [each["changed"] for each in replayed] == [False, False]
    assert all(each["problem"] for each in replayed)
    await site.done("/dead-letters/discard", all=True, reason="malformed_message")
    _, page = await site.ask("GET", "/admin/dead-letters?state=discarded")
    assert [each["id"] for each in page["letters"]] == [broken]
    (line,) = await site.audit(action="discard_letter")
    assert (line["subject"], line["before"]["reason"]) == (str(broken), "malformed_message")

    await site.done("/dead-letters/replay", ids=[whole])
    (sent,) = await outbox(site.database)
    assert sent["data"] == json.loads(run.to_bytes())["data"]
    assert sent["id"] != str(run.id)
    assert sent["correlation_id"] == str(run.correlation_id)
    for body in ({}, {"ids": [1], "all": True}, {"ids": []}):
        assert await site.refused("/dead-letters/replay", **body) == (422, "invalid_body")


async def test_ground_truth_is_loaded_listed_and_chosen(site: Site, tmp_path: Path) -> None:
    content = gzip.decompress((DEMO / "ground_truth.json.gz").read_bytes())
    (tmp_path / "gt.json").write_bytes(content)
    loaded = await site.done("/ground-truths/reload", file="gt.json")
    assert (loaded["new"], loaded["current"]) == (True, False)
    version = loaded["version"]
    assert not (await site.done("/ground-truths/reload", file="gt.json"))["new"]
    assert (await site.done("/ground-truths/current", version=version))["changed"]
    assert not (await site.done("/ground-truths/current", version=version))["changed"]
    _, listed = await site.ask("GET", "/admin/ground-truths")
    assert [(each["version"], each["current"]) for each in listed["versions"]] == [(version, True)]
    assert "content" not in str(listed)

    other = orjson.dumps(orjson.loads(content)[:200])
    path = f"/api/v1/admin/ground-truths?why={WHY}&current=true"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/gzip"}
    async with site.client.post(path, data=gzip.compress(other), headers=headers) as response:
        assert response.status == 201
        second = (await response.json())["version"]
    actives = await site.database.pool.fetch("SELECT version FROM ground_truths WHERE active")
    assert [row["version"] for row in actives] == [second]
    lines = [(line["action"], line["subject"]) for line in await site.audit()]
    assert lines == [
        ("choose", second), ("load", second), ("choose", version), ("load", version),
    ]  # fmt: skip
    async with site.client.post(path, data=b"[{}]", headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (422, "invalid_body")


async def test_no_file_outside_the_folder_is_read(site: Site, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"outside-{uuid4().hex}.json"
    outside.write_text("[]")
    (tmp_path / "link.json").symlink_to(outside)
    (tmp_path / "folder").mkdir()
    names = ["../gt.json", "/etc/passwd", "link.json", "a\0b", "..", "", "folder", "missing.json"]
    for name in [*names, f"../{outside.name}"]:
        found = await site.refused("/ground-truths/reload", file=name)
        assert found == (404, "file_not_found"), name


async def test_held_judging_keeps_every_run_and_lets_all_go_on(site: Site) -> None:
    pool = site.database.pool
    stored = [await accept_submission(site.database, name) for name in ("A", "B", "C")]

    async def run_of(index: int) -> str:
        await pool.execute(
            "INSERT INTO judge_runs (id, submission_id, requested_by) VALUES ($1, $2, 'owner')",
            uuid4(), stored[index].submission_id,
        )  # fmt: skip
        return await states()

    async def states() -> str:
        rows = await pool.fetch("SELECT state, reason FROM judge_runs ORDER BY created_at, id")
        return " ".join(sorted(f"{row['state']}:{row['reason'] or '-'}" for row in rows))

    assert await run_of(0) == "queued:-"
    assert (await site.done("/judging/pause"))["changed"]
    assert not (await site.done("/judging/pause"))["changed"]
    assert await states() == "paused:judging_held"
    assert await run_of(1) == "paused:judging_held paused:judging_held"
    await pool.execute("UPDATE judge_runs SET state = 'failed', reason = 'x'")
    await pool.execute("UPDATE judge_runs SET state = 'queued', reason = NULL")
    assert await states() == "paused:judging_held paused:judging_held"
    _, state = await site.ask("GET", "/admin/judging")
    assert (state["held_why"], state["runs"]) == (WHY, {"paused": 2})

    await pool.execute("DELETE FROM outbox")
    assert (await site.done("/judging/resume"))["changed"]
    assert not (await site.done("/judging/resume"))["changed"]
    assert await states() == "queued:- queued:-"
    assert [sent["type"] for sent in await outbox(site.database)] == ["judging.requested"] * 2
    assert [line["action"] for line in await site.audit(subject_kind="judging")] == [
        "resume",
        "pause",
    ]


async def test_one_run_is_paused_and_resumed_with_a_line_each(site: Site) -> None:
    stored = await accept_submission(site.database, "A")
    run = uuid4()
    await site.database.pool.execute(
        "INSERT INTO judge_runs (id, submission_id, requested_by) VALUES ($1, $2, 'owner')",
        run, stored.submission_id,
    )  # fmt: skip
    path = f"/submissions/{stored.submission_id}/judge"
    assert (await site.ask("POST", f"{path}/pause", {"why": WHY}))[0] == 200
    assert (await site.ask("POST", f"{path}/pause", {"why": WHY}))[0] == 409
    assert (await site.ask("POST", f"{path}/resume"))[0] == 202
    lines = await site.audit(subject_kind="judge_run", subject=str(run))
    assert [(line["action"], line["why"], line["before"]["state"]) for line in lines] == [
        ("resume_run", "no reason given", "paused"),
        ("pause_run", WHY, "queued"),
    ]


# ------------------------------------------------------------------ the commands
async def medvid(site: Site, *arguments: str, key: str | None = KEY) -> tuple[int, str, str]:
    """Run `medvid admin ...` as people do; gives status, output, errors."""
    environment = {**os.environ, "MEDVID_URL": site.url, "XDG_CONFIG_HOME": "/nowhere"}
    environment.pop("MEDVID_API_KEY", None)
    if key is not None:
        environment["MEDVID_ADMIN_KEY"] = key
    process = await with_pipes("medvid", "admin", *arguments, env=environment)
    async with asyncio.timeout(HANG_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_commands_do_what_the_api_does(site: Site, tmp_path: Path) -> None:
    await add_listed_entry(site.database, "Model A", VALUES)
    why = ("--why", WHY)
    status, out, err = await medvid(site, "promote", "model a", *why, "--note", "ran it")
    assert status == 1, "nobody agreed"
    assert "--yes" in err
    status, out, err = await medvid(site, "promote", "model a", *why, "--yes", "--json")
    assert status == 0, err
    assert json.loads(out)["entry"]["board"] == "official"
    status, _, err = await medvid(site, "promote", "Model B", *why, "--yes")
    assert (status, "o board has a model named" in err) == (1, True)
    status, _, err = await medvid(site, "rename", "Model A", "Model C")
    assert (status, "--why" in err) == (1, True)
    status, _, err = await medvid(site, "remove", "Model A", *why, "--yes", key=None)
    assert status == 1
    assert "administrator's key" in err

    exported = tmp_path / "boards.csv"
    assert (await medvid(site, "export", "--format", "csv", "-o", str(exported)))[0] == 0
    status, out, err = await medvid(site, "import", str(exported), *why, "--yes", "--update")
    assert (status, "1 unchanged" in out) == (0, True), err
    status, out, err = await medvid(site, "audit", "--json")
    assert [line["action"] for line in json.loads(out)] == ["promote"], err


@deep
async def test_endpoints_of_a_pool_are_drained_and_restored_by_command(site: Site) -> None:
    assert (await medvid(site, "pool", "list"))[2] == "The judge has no pool.\n"
    await site.database.pool.execute(
        "INSERT INTO judge_pool_endpoints (name, judge_version, down) VALUES"
        " ('us-east', 'abc123', NULL), ('eu', 'abc123', 'lost connection')"
    )
    why = ("--why", WHY)
    assert (await medvid(site, "pool", "drain", "us-east", *why))[0] == 1, "nobody agreed"
    told = "us-east gets no new call."
    assert (await medvid(site, "pool", "drain", "us-east", *why, "--yes"))[1] == f"{told}\n"
    again = await medvid(site, "pool", "drain", "us-east", *why, "--yes")
    assert again[1] == f"{told} It was so before.\n"
    status, out, err = await medvid(site, "pool", "list")
    assert status == 0, err
    rows = [line.split()[:2] for line in out.splitlines()[1:]]
    assert rows == [["eu", "down"], ["us-east", "drained"]]
    assert WHY in out
    status, _, err = await medvid(site, "pool", "restore", "a b/c", *why)
    assert (status, "an endpoint of this name" in err) == (1, True), err
    assert (await medvid(site, "pool", "restore", "us-east", *why))[0] == 0
    lines = await site.audit(subject_kind="endpoint")
    assert [(line["action"], line["subject"]) for line in lines] == [
        ("restore_endpoint", "us-east"), ("drain_endpoint", "us-east"),
    ]  # fmt: skip


@deep
async def test_costs_are_read_by_command(site: Site, tmp_path: Path) -> None:
    await site.database.pool.execute(
        "INSERT INTO judge_costs VALUES"
        " ($1, 'abc123', 'us-east', '2026-04-15', 1500000), ($1, 'abc123', 'eu', '2026-04-16', 1)",
        uuid4(),
    )
    status, out, err = await medvid(site, "costs", "--by", "endpoint")
    assert status == 0, err
    rows = [line.split() for line in out.splitlines()]
    assert [row[:2] for row in rows[1:]] == [
        ["eu", "0.000001"], ["us-east", "1.500000"], ["all", "2"],
    ]  # fmt: skip
    assert rows[3][2] == "1.500001"
    file = tmp_path / "costs.csv"
    asked = ("costs", "--by", "day", "--until", "2026-04-15")
    assert (await medvid(site, *asked, "-o", str(file)))[0] == 0
    text = file.read_text("utf-8")
    assert text.splitlines()[1] == "2026-04-15,,1.500000,,1,2026-04-15,2026-04-15"
    assert (await medvid(site, *asked, "--csv"))[1].splitlines() == text.splitlines()
    assert (await medvid(site, "costs", "--since", "yesterday"))[0] == 1


async def test_keys_are_made_limited_and_revoked_by_command(site: Site) -> None:
    why = ("--why", WHY, "--json")
    _, out, err = await medvid(site, "keys", "make", "CI", "Lab", "--scope", "submit", *why)
    made = json.loads(out)
    assert (await site.ask("GET", "/keys/me", key=made["key"]))[0] == 200, err
    limit = ("--submissions-per-day", "3")
    _, out, err = await medvid(site, "keys", "quotas", made["id"], *limit, *why)
    assert json.loads(out)["quotas"]["submissions_per_day"] == 3, err
    assert (await medvid(site, "keys", "revoke", made["id"], *why, "--yes"))[0] == 0
    assert (await site.ask("GET", "/keys/me", key=made["key"]))[0] == 401
    _, out, _ = await medvid(site, "keys", "list")
    assert f"{made['id']}  revoked" in out
    lines = await site.audit(subject_kind="key")
    assert [line["action"] for line in lines] == ["revoke_key", "set_key_quotas", "make_key"]
    assert {line["why"] for line in lines} == {WHY}


@deep
async def test_a_ground_truth_is_corrected_by_command(database: Database, tmp_path: Path) -> None:
    """Loaded, scored anew beside the scores in force, looked at, applied; and the rest."""
    records = orjson.loads(gzip.decompress((DEMO / "ground_truth.json.gz").read_bytes()))
    for record in records:
        if record["qa_type"] == "tal":
            record["struc_info"] = [{**record["struc_info"][0], "spans": [{"start": 0, "end": 1}]}]
    file = tmp_path / "corrected.json"
    file.write_bytes(orjson.dumps(records))
    await accept_submission(database, "Model A")
    why = ("--why", WHY)
    async with running_site(database, scoring=True) as site:
        async with asyncio.timeout(HANG_SECONDS):
            while not await site.board("community"):
                await asyncio.sleep(0.05)
        status, out, err = await medvid(site, "ground-truth", "load", str(file), *why, "--json")
        assert status == 0, err
        version = json.loads(out)["version"]
        status, out, err = await medvid(site, "rescore", "--ground-truth", version[:8], *why)
        assert status == 0, err
        assert "1 of 1 entries change" in out
        assert "tag_miou_03" in out
        assert (await medvid(site, "apply", *why))[0] == 1, "nobody agreed"
        status, out, err = await medvid(site, "apply", *why, "--yes", "--make-current")
        assert (status, out) == (0, "The scores are in force.\n"), err
        status, out, err = await medvid(site, "ground-truth", "list")
        assert f"* {version}" in out, err
        assert "applied" in (await medvid(site, "rescores"))[1]
        await _the_same_by_the_grammar_of_jobs(site, why)
        letter = await bury(database, b"broken", "judge.batches")
        assert f"{letter}  " in (await medvid(site, "dead-letters"))[1]
        status, out, _ = await medvid(site, "replay", str(letter), *why)
        assert (status, "Discard it" in out) == (0, True)
        assert (await medvid(site, "discard-letters", "--all", *why, "--yes"))[0] == 0
        assert (await medvid(site, "pause", *why, "--yes"))[1] == "Judging is paused.\n"
        assert WHY in (await medvid(site, "judging"))[1]
        assert (await medvid(site, "resume", *why))[1] == "Judging continues.\n"
        ranking = "ranking", "community", "dense", *why
        assert (await medvid(site, *ranking))[0] == 1, "nobody agreed"
        told = "The community board's ranking is dense."
        assert (await medvid(site, *ranking, "--yes"))[1] == f"{told}\n"
        assert (await medvid(site, *ranking, "--yes"))[1] == f"{told} It was so before.\n"


async def _the_same_by_the_grammar_of_jobs(site: Site, why: tuple[str, ...]) -> None:
    """A second job, started, listed, shown and discarded by its kind."""
    status, out, err = await medvid(site, "rescoring", "start", *why, "--json")
    assert status == 0, err
    job = json.loads(out)["job"]["id"]
    for arguments in (("list",), ("show",), ("show", job)):
        by_kind = await medvid(site, "rescoring", *arguments)
        earlier = {"list": "rescores", "show": "difference"}[arguments[0]]
        assert by_kind == await medvid(site, earlier, *arguments[1:])
        assert job in by_kind[1]
    assert (await medvid(site, "rescoring", "apply", job, *why))[0] == 1, "nobody agreed"
    discarded = await medvid(site, "rescoring", "discard", job, *why, "--yes")
    assert discarded[:2] == (0, "Dropped.\n")


async def test_every_command_has_a_help(site: Site) -> None:
    status, out, _ = await medvid(site, "--help")
    assert status == 0
    for name in (
        "promote", "demote", "add", "remove", "withdraw", "rename", "edit", "import", "export",
        "rescore", "apply", "discard", "pause", "resume", "dead-letters", "replay", "keys", "audit",
        "ground-truth", "ranking", "rescoring",
    ):  # fmt: skip
        assert f" {name} " in out
