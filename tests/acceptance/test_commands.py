"""The `medvid` commands on a server, as processes of their own with a home of their own."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from medvid.cli.printing import NO_RANK
from tests.acceptance.gateway_harness import (
    Gateway,
    fresh_gateway,
    ground_truth,
    records,
    row,
)
from tests.conftest import Servers
from tests.cutting_proxy import Cut, cutting_proxy
from tests.patience import HANG_SECONDS
from tests.preloaded import Forked, with_pipes
from tests.rows import add_listed_entry
from tests.servers import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_SECONDS = HANG_SECONDS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(servers: Servers) -> AsyncIterator[Gateway]:
    async with fresh_gateway(servers, registration="open") as gateway:
        yield gateway


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    status: int | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs medvid as a user would."""

    home: Path
    url: str

    async def begin(self, *arguments: str, **variables: str) -> Forked:
        environment = {name: value for name, value in os.environ.items() if "MEDVID" not in name}
        given = {"HOME": str(self.home), "MEDVID_URL": self.url, "COLUMNS": "80", **variables}
        given |= {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
        return await with_pipes("medvid", *arguments, env=environment | given)

    async def __call__(self, *arguments: str, **variables: str) -> Done:
        process = await self.begin(*arguments, **variables)
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        return Done(process.returncode, out.decode(), err.decode())


@pytest.fixture
def medvid(gateway: Gateway, tmp_path: Path) -> Shell:
    return Shell(tmp_path, gateway.url)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "predictions.json"
    path.write_bytes(orjson.dumps(records()))
    return str(path)


async def state(gateway: Gateway, submission: str, *states: str, **failure: str) -> None:
    for each in states:
        await gateway.set_state(submission, each, **failure)


async def test_submit_then_follow_without_pasting_anything(
    gateway: Gateway, medvid: Shell, file: str
) -> None:
    name = f"model {uuid4()}"
    sent = await medvid("submit", file, "-m", name, "-o", "Lab", "--yes", "--no-wait", "--json")
    assert sent.status == 0, sent.err
    submission = sent.json["id"]
    watching = await medvid.begin("watch", "--json")
    assert watching.stdout is not None
    first = orjson.loads(await asyncio.wait_for(watching.stdout.readline(), PATIENCE_SECONDS))
    assert (first["id"], first["state"], first["report"]["ok"]) == (submission, "accepted", True)
    await state(gateway, submission, "scored", "ranked")
    rest, _ = await asyncio.wait_for(watching.communicate(), PATIENCE_SECONDS)
    assert orjson.loads(rest.splitlines()[-1])["state"] == "ranked"
    assert watching.returncode == 0
    shown = await medvid("status", name)
    assert shown.status == 0
    assert "100.0%" in shown.out
    listed = await medvid("submissions", "--json")
    assert [each["model_name"] for each in listed.json] == [name]
    again = await medvid("submit", file, "-m", name.upper(), "-o", "Lab", "--yes")
    assert again.status == 1
    assert "model_name_taken" in again.err


async def test_nothing_is_submitted_while_nobody_accepted_the_warnings(
    gateway: Gateway, medvid: Shell, file: str, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.json"
    truth.write_bytes(ground_truth())
    name = f"model {uuid4()}"
    about = ("submit", file, "-m", name, "-o", "Lab", "--no-wait")
    here = ("--ground-truth", str(truth))
    for more in ((), here):
        done = await medvid(*about, *more)
        assert (done.status, done.err.count("Warnings\n")) == (1, 1), done.err
        assert "give --yes to submit it as it is" in " ".join(done.err.split())
    count = "SELECT count(*) FROM entries WHERE model_name = $1"
    assert await gateway.database.pool.fetchval(count, name) == 0
    accepted = await medvid(*about, *here, "--yes")
    assert (accepted.status, accepted.err.count("Warnings\n")) == (0, 1), accepted.err
    assert await gateway.database.pool.fetchval(count, name) == 1


async def test_a_dry_run_says_what_is_valid_and_names_files_as_they_are(
    medvid: Shell, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"\n".join(map(orjson.dumps, records())))
    about = ("-m", "dry", "-o", "Lab", "--dry-run")
    dry = await medvid("submit", str(lines), *about)
    assert dry.status == 0
    assert f"Valid: {len(records())} of {len(records())} samples answered" in dry.err
    assert "Nothing was submitted." in dry.err
    wrong = tmp_path / "wrong"
    wrong.write_bytes(orjson.dumps([{**record, "qa_type": "x"} for record in records()]))
    for options in ((), ("--no-check",)):
        refused = await medvid("submit", str(wrong), "-m", "dry", "-o", "Lab", *options)
        assert refused.status == 1
        assert f"in {len(records())} records, first at $[0].qa_type" in refused.err
    here = await medvid("submit", str(wrong), *about)
    assert f"The file {wrong} has errors." in here.err.replace("\n", "")


async def test_a_failure_and_a_wrong_file_tell_scripts_and_people(
    gateway: Gateway, medvid: Shell, file: str, tmp_path: Path
) -> None:
    about = ("-m", f"m {uuid4()}", "-o", "Lab", "--yes", "--no-wait", "--json")
    sent = await medvid("submit", file, *about)
    await state(gateway, sent.json["id"], "failed", code="no_good", reason="It was no good.")
    failed = await medvid("status")
    assert failed.status == 1
    assert "It was no good." in failed.out
    bad = tmp_path / "bad.json"
    bad.write_bytes(orjson.dumps([{"id": "v", "qa_type": "tall", "prediction": ""}]))
    here = await medvid("submit", str(bad), "-m", "bad", "-o", "Lab")
    assert here.status == 1
    assert "unknown_qa_type" in here.err
    assert "nothing was sent" in here.err
    there = await medvid("submit", str(bad), "-m", "bad", "-o", "Lab", "--no-check", "--json")
    assert there.status == 1
    assert there.json["error"]["code"] == "invalid_submission"
    assert there.json["error"]["errors"][0]["fix"]


async def test_a_killed_upload_that_is_repeated_is_one_submission(
    gateway: Gateway, medvid: Shell, file: str
) -> None:
    name = f"model {uuid4()}"
    arguments = ("submit", file, "-m", name, "-o", "Lab", "--no-check", "--no-wait", "--json")
    async with cutting_proxy(gateway.url, [Cut(down=0)] * 9) as proxy:
        process = await medvid.begin(*arguments, MEDVID_URL=proxy.url)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while proxy.connections < 2:  # the first was answered, but the answer was lost
                await asyncio.sleep(0.01)
        count = await gateway.database.pool.fetchval(
            "SELECT count(*) FROM entries WHERE model_name = $1", name
        )
        assert count == 1
        process.kill()
        await process.communicate()
        proxy.cuts.clear()
        repeated = await medvid(*arguments, MEDVID_URL=proxy.url)
    assert repeated.status == 0, repeated.err
    count = await gateway.database.pool.fetchval(
        "SELECT count(*) FROM entries WHERE model_name = $1", name
    )
    assert count == 1
    status = await gateway.status(repeated.json["id"], repeated.json["owner_token"])
    assert status["entry"]["model_name"] == name


async def test_a_board_fits_the_terminal_and_spreadsheets_are_safe(
    gateway: Gateway, medvid: Shell
) -> None:
    rows = [row(1, model_name="=1+1", organization="L"), row(2, model_name="M" * 90)]
    revision = await gateway.rank("official", rows, hint=True)
    await gateway.shown("official", revision)
    table = await medvid("board", COLUMNS="60")
    assert table.status == 0
    assert max(map(len, table.out.splitlines())) <= 60
    assert table.out.count("0.900") == 10  # each metric once, in whichever table
    cells = list(csv.reader(io.StringIO((await medvid("board", "--csv")).out)))
    assert "'=1+1" in cells[1]
    document = (await medvid("board", "--json")).json
    assert document["revision"] == revision


async def test_who_is_not_ranked_is_told_so_in_the_terminal(
    gateway: Gateway, medvid: Shell
) -> None:
    await add_listed_entry(gateway.database, "Imported", {"cvs_acc": 0.5}, "official")
    await gateway.rank_listed("official")
    board = await medvid("board", "--scoring", "strict")
    assert board.status == 0
    assert [line.split()[:2] for line in board.out.splitlines()[-2:]] == [
        [NO_RANK, "Imported"], [NO_RANK, "not"],
    ]  # fmt: skip
    entry = await medvid("entry", "Imported")
    assert "compat: number 1 of 1 on the official board" in entry.out
    assert "strict: not ranked, no strict scores" in entry.out
    await add_listed_entry(gateway.database, "GPT-4 turbo", {"cvs_acc": 0.4}, "official")
    await gateway.rank_listed("official")
    assert (await medvid("entry", "gpt\u20114  Turbo")).out.startswith("GPT-4 turbo (")


async def test_without_a_server_it_says_so_and_that_later_may_help(medvid: Shell) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    lost = await medvid("board", "--json", MEDVID_URL=nowhere)
    assert lost.status == 3
    assert nowhere in lost.json["error"]["detail"]
    wrong = await medvid("board", "--url", "leaderboard")
    assert wrong.status == 2
    assert "https://" in wrong.err
    unknown = await medvid("status", str(uuid4()))
    assert unknown.status == 1
    assert "submission_not_found" in unknown.err


async def test_a_key_of_ones_own_is_kept_and_used(medvid: Shell) -> None:
    made = await medvid("register-key", "--label", "CI", "--owner", "Lab", "--json")
    assert made.status == 0, made.err
    found = await medvid("quotas", "--json")
    assert found.json["account"] == f"key:{made.json['id']}"
    again = await medvid("register-key", "--label", "CI", "--owner", "Lab")
    assert again.status == 1
    assert "config unset api_key" in again.err


async def test_a_key_that_was_not_expanded_is_told_as_that(medvid: Shell, file: str) -> None:
    """Without, a submission was sent as nobody's and looked accepted."""
    variables = {"MEDVID_API_KEY": "$LAB_KEY"}
    done = await medvid("submit", file, "-m", "M", "-o", "L", **variables)
    assert (done.status, done.out) == (1, "")
    assert "$LAB_KEY was not expanded" in " ".join(done.err.split())


async def test_settings_and_completion(medvid: Shell) -> None:
    changed = await medvid("config", "set", "url", "https://x.example", MEDVID_URL="")
    assert changed.status == 0
    shown = (await medvid("config", "--json", MEDVID_URL="")).json
    assert shown["client"]["url"]["value"] == "https://x.example"
    assert "MEDVID_PORT" in shown["services"]
    for shell in ("bash", "zsh", "fish"):
        assert "_MEDVID_COMPLETE" in (await medvid("completion", shell)).out
    offered = await medvid(
        _MEDVID_COMPLETE="complete_bash", COMP_WORDS="medvid verd", COMP_CWORD="1"
    )
    assert offered.out.strip() == "verdicts"


async def test_owners_read_back_what_they_sent(medvid: Shell, file: str, tmp_path: Path) -> None:
    name = f"model {uuid4()}"
    await medvid("submit", file, "-m", name, "-o", "Lab", "--yes", "--no-wait")
    copy = tmp_path / "copy.gz"
    done = await medvid("predictions", "--download", str(copy))
    assert done.status == 0, done.err
    assert gzip.decompress(copy.read_bytes()) == orjson.dumps(records())
    shown = await medvid("predictions", name, "--task", "tal", "--json")
    parsed = [orjson.loads(line) for line in shown.out.splitlines()]
    assert parsed
    assert all(each["qa_type"] == "tal" for each in parsed)
    assert (await medvid("predictions", "--task", "none", "--json")).json["error"]["code"] == (
        "wrong_usage"
    )
    refused = await medvid("withdraw", "--json")
    assert (refused.status, refused.json["error"]["code"]) == (1, "needs_consent")


async def test_two_entries_are_compared_by_name(gateway: Gateway, medvid: Shell) -> None:
    for name, value in (("A", 0.7), ("B", 0.4)):
        await add_listed_entry(gateway.database, name, {"cvs_acc": value}, "official")
    await gateway.rank_listed("official")
    shown = await medvid("compare", "A", "B")
    assert shown.status == 0, shown.err
    line = next(each for each in shown.out.splitlines() if "+0.3000" in each)
    assert line.endswith("not decided")
    assert "stand alone" in shown.out
    assert (await medvid("compare", "A", "B", "--json")).json["metrics"]["cvs_acc"]["p"] is None
    lost = await medvid("compare", "A", "C")
    assert lost.status == 1
    assert "no model 'C'" in lost.err
    await add_listed_entry(gateway.database, "C", {"cvs_acc": 0.5}, "community")
    await gateway.rank_listed("community")
    assert "No board has both 'A' and 'C'." in (await medvid("compare", "A", "C")).err
