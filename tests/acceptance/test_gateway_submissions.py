"""Submissions over HTTP: accepted once, durable, told to their owner, refused with all reasons."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson
import pytest
import pytest_asyncio

from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.test_set import TestSet
from shared.runtime.truth_workers import stored_predictions
from shared.storage.database import Database
from tests.acceptance.gateway_harness import (
    SAMPLES,
    Gateway,
    fresh_gateway,
    ground_truth,
    records,
    row,
    running_gateway,
)
from tests.conftest import Servers
from tests.patience import HANG_SECONDS
from tests.servers import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")
with_own_gateway = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(servers: Servers) -> AsyncIterator[Gateway]:
    async with fresh_gateway(servers) as gateway:
        yield gateway


FILE = orjson.dumps(records())


async def test_a_good_submission_is_stored_whole_and_announced(gateway: Gateway) -> None:
    status, receipt = await gateway.submit(
        FILE,
        model_name="  Cafe\u0301-7B ",
        organization="Lab <b>",
        team="T",
        authors="A, B",
        contact="me@example.org",
        model_url="https://example.org/m",
        track="MICCAI 2026",
    )
    assert status == 202
    assert receipt["status_url"] == f"/api/v1/submissions/{receipt['id']}"
    assert receipt["state"] == "accepted"
    stored = await gateway.database.pool.fetchrow(
        "SELECT s.*, e.*, p.content, s.id AS submission FROM submissions s"
        " JOIN entries e ON e.submission_id = s.id JOIN payloads p ON p.submission_id = s.id"
        " WHERE s.id = $1",
        UUID(receipt["id"]),
    )
    assert stored is not None
    assert stored["model_name"] == "Café-7B"
    assert stored["name_key"] == "café-7b"
    assert (stored["board"], stored["listed"], stored["contact"]) == (
        "community",
        False,
        "me@example.org",
    )
    assert gzip.decompress(stored["content"]) == FILE
    assert stored["file_sha256"] == hashlib.sha256(FILE).hexdigest()
    assert stored["file_bytes"] == len(FILE)
    assert stored["ground_truth_version"] == hashlib.sha256(ground_truth()).hexdigest()
    assert stored["owner_token_sha256"] == hashlib.sha256(receipt["owner_token"].encode()).digest()
    events = await gateway.database.pool.fetch(
        "SELECT convert_from(body, 'UTF8') AS body FROM outbox WHERE type = 'submission.accepted'"
    )
    assert [receipt["id"] in event["body"] for event in events].count(True) == 1


async def test_json_lines_are_taken_and_kept(gateway: Gateway) -> None:
    lines = b"\xef\xbb\xbf" + b"\n\n".join(map(orjson.dumps, records()))
    status, receipt = await gateway.submit(lines)
    assert status == 202
    payload = await gateway.database.pool.fetchval(
        "SELECT content FROM payloads WHERE submission_id = $1", UUID(receipt["id"])
    )
    assert gzip.decompress(payload) == lines
    test_set = TestSet.from_ground_truth(load_ground_truth(ground_truth()))
    array = gzip.compress(orjson.dumps(records()))
    assert stored_predictions(payload, test_set) == stored_predictions(array, test_set)


async def test_gzip_is_kept_as_it_came(gateway: Gateway) -> None:
    packed = gzip.compress(FILE)
    status, receipt = await gateway.submit(packed)
    assert status == 202
    content = await gateway.database.pool.fetchval(
        "SELECT content FROM payloads WHERE submission_id = $1", UUID(receipt["id"])
    )
    assert content == packed
    assert (await gateway.status(receipt["id"], receipt["owner_token"]))["file_sha256"] == (
        hashlib.sha256(FILE).hexdigest()
    )


async def test_a_name_is_taken_whatever_its_case(gateway: Gateway) -> None:
    assert (await gateway.submit(FILE, model_name="Straße"))[0] == 202
    status, problem = await gateway.submit(FILE, model_name="STRASSE")
    assert (status, problem["code"]) == (409, "model_name_taken")
    assert problem["fix"]


async def test_of_the_same_name_at_the_same_moment_one_wins(gateway: Gateway) -> None:
    answers = await asyncio.gather(
        *(gateway.submit(FILE, model_name="rivals", organization=f"Lab {n}") for n in range(4))
    )
    assert sorted(status for status, _ in answers) == [202, 409, 409, 409]
    count = await gateway.database.pool.fetchval(
        "SELECT count(*) FROM submissions s JOIN entries e ON e.submission_id = s.id"
        " WHERE e.name_key = 'rivals'"
    )
    assert count == 1


async def test_an_idempotent_repeat_gets_the_same_answer(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first = await gateway.submit(FILE, headers=headers, model_name="again")
    second = await gateway.submit(FILE, headers=headers, model_name="again")
    assert first == second
    assert first[0] == 202
    status = await gateway.status(first[1]["id"], first[1]["owner_token"])
    assert status["entry"]["model_name"] == "again"


async def test_idempotent_rivals_get_the_same_answer(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(
        *(gateway.submit(FILE, headers=headers, model_name="together") for _ in range(4))
    )
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 202


@pytest.mark.parametrize("change", ["organization", "file"])
async def test_a_key_of_another_request_is_refused(gateway: Gateway, change: str) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    name = f"keyed by {change}"
    assert (await gateway.submit(FILE, headers=headers, model_name=name))[0] == 202
    file = FILE + b"\n" if change == "file" else FILE
    organization = "Other" if change == "organization" else "Lab"
    status, problem = await gateway.submit(
        file, headers=headers, model_name=name, organization=organization
    )
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_a_refused_request_does_not_use_up_its_key(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    assert (await gateway.submit(b"[]", headers=headers, model_name="second try"))[0] == 422
    assert (await gateway.submit(FILE, headers=headers, model_name="second try"))[0] == 202


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
async def test_a_bad_key_is_named(gateway: Gateway, key: str) -> None:
    status, problem = await gateway.submit(FILE, headers={"Idempotency-Key": key})
    assert (status, problem["code"]) == (400, "invalid_idempotency_key")


async def test_nothing_secret_is_stored(gateway: Gateway) -> None:
    key = str(uuid4())
    _, receipt = await gateway.submit(FILE, headers={"Idempotency-Key": key})
    for table in ("submissions", "idempotency_keys", "outbox", "entries"):
        rows = await gateway.database.pool.fetch(f"SELECT t::text AS line FROM {table} t")  # noqa: S608
        text = "\n".join(row["line"] for row in rows)
        assert receipt["owner_token"] not in text
        assert key not in text


async def test_all_problems_of_form_and_file_come_at_once(gateway: Gateway) -> None:
    wrong = records()
    wrong[3]["id"] = "unknown&&1&&2&&3"
    del wrong[5]["prediction"]
    status, problem = await gateway.submit(
        orjson.dumps(wrong),
        model_name="tab\there",
        organization="",
        model_url="javascript:alert(1)",
        modelname="typo",
    )
    assert (status, problem["code"]) == (422, "invalid_submission")
    found = {(item["location"], item["path"], item["code"]) for item in problem["errors"]}
    assert found >= {
        ("form", "$.model_name", "forbidden_character"),
        ("form", "$.organization", "empty_field"),
        ("form", "$.model_url", "invalid_url"),
        ("form", "$.modelname", "unknown_field"),
        ("file", "$[5].prediction", "missing_field"),
    }
    assert problem["error_count"] == len(problem["errors"])
    assert problem["report"]["ok"] is False
    assert all(item["fix"] and item["expected"] and item["found"] for item in problem["errors"])


async def test_the_public_sees_the_state_and_the_owner_everything(gateway: Gateway) -> None:
    _, receipt = await gateway.submit(
        FILE, model_name="watched", contact="secret@example.org", organization="Hidden Lab"
    )
    public = await gateway.status(receipt["id"])
    assert set(public) == {
        "id",
        "state",
        "final",
        "timeline",
        "ahead",
        "judging",
        "similarities",
        "waits_for_judging",
    }
    assert [step["state"] for step in public["timeline"]] == ["accepted"]
    owned = await gateway.status(receipt["id"], receipt["owner_token"])
    assert owned["report"]["answered"] == SAMPLES
    assert owned["entry"]["rank"] is None
    assert owned["failure"] is None
    for answer in (public, owned):
        assert "secret@example.org" not in str(answer)
    assert "Hidden Lab" not in str(public)


async def test_a_ranked_submission_has_its_rank_at_once(gateway: Gateway) -> None:
    _, receipt = await gateway.submit(FILE, model_name="ranked one")
    owned = await gateway.status(receipt["id"], receipt["owner_token"])
    await gateway.set_state(receipt["id"], "scored")
    entry = owned["entry"]["id"]
    await gateway.database.pool.execute("UPDATE entries SET listed = true WHERE id = $1", entry)
    await gateway.rank("community", [row(1), row(2, entry_id=entry)], hint=False)
    await gateway.set_state(receipt["id"], "ranked")
    owned = await gateway.status(receipt["id"], receipt["owner_token"])
    assert owned["final"]
    assert owned["entry"]["rank"] == 2
    assert owned["entry"]["page"] == f"/boards/community/entries/{entry}"
    assert owned["standing"]["places"][0]["rank"] == 2
    assert [step["state"] for step in owned["timeline"]] == ["accepted", "scored", "ranked"]
    # Who was told "ranked" finds it on the board.
    _, _, body = await gateway.get("/api/v1/leaderboards/community")
    assert owned["entry"]["id"].encode() in body


async def test_a_failure_has_a_reason_for_its_owner_only(gateway: Gateway) -> None:
    _, receipt = await gateway.submit(FILE)
    await gateway.set_state(receipt["id"], "failed", code="scoring_timeout", reason="took too long")
    owned = await gateway.status(receipt["id"], receipt["owner_token"])
    assert owned["failure"] == {"code": "scoring_timeout", "reason": "took too long"}
    public = await gateway.status(receipt["id"])
    assert public["state"] == "failed"
    assert "failure" not in public


async def test_the_status_counts_who_is_ahead(gateway: Gateway) -> None:
    _, first = await gateway.submit(FILE)
    _, second = await gateway.submit(FILE)
    ahead = [(await gateway.status(each["id"]))["ahead"] for each in (first, second)]
    assert ahead[1] == ahead[0] + 1


async def test_another_token_is_refused(gateway: Gateway) -> None:
    _, mine = await gateway.submit(FILE)
    _, other = await gateway.submit(FILE)
    for token, code in ((other["owner_token"], "invalid_token"), ("x", "invalid_token")):
        status, headers, body = await gateway.get(
            f"/api/v1/submissions/{mine['id']}", Authorization=f"Bearer {token}"
        )
        assert status == 401
        assert orjson.loads(body)["code"] == code
        assert "Bearer" in headers["WWW-Authenticate"]
    status, _, body = await gateway.get(
        f"/api/v1/submissions/{mine['id']}", Authorization="Basic abc"
    )
    assert (status, orjson.loads(body)["code"]) == (400, "invalid_authorization")


@pytest.mark.parametrize(
    "bad_id",
    [str(UUID(int=7)), "x", "..%2f..", "%00", "{00000000-0000-0000-0000-000000000007}", "1" * 500],
)
async def test_unknown_and_malformed_ids_are_one_404(gateway: Gateway, bad_id: str) -> None:
    status, headers, body = await gateway.get(f"/api/v1/submissions/{bad_id}")
    assert status == 404
    assert headers["Content-Type"].startswith("application/problem+json")
    assert orjson.loads(body)["code"] == "submission_not_found"


async def test_an_unchanged_status_is_304_for_the_same_asker(gateway: Gateway) -> None:
    _, receipt = await gateway.submit(FILE)
    path = f"/api/v1/submissions/{receipt['id']}"
    _, headers, _ = await gateway.get(path)
    etag = headers["ETag"]
    status, _, body = await gateway.get(path, If_None_Match=etag)
    assert (status, body) == (304, b"")
    owner = f"Bearer {receipt['owner_token']}"
    assert (await gateway.get(path, If_None_Match=etag, Authorization=owner))[0] == 200
    assert "private" in headers["Cache-Control"]
    await gateway.set_state(receipt["id"], "scored")
    assert (await gateway.get(path, If_None_Match=etag))[0] == 200


@with_own_gateway
async def test_without_a_test_set_submissions_wait(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        status, problem = await gateway.submit(FILE)
        assert (status, problem["code"]) == (503, "no_ground_truth")
        assert "load-ground-truth" in problem["fix"]
        _, _, form = await gateway.get("/submit")
        assert b"o test set is loaded" in form  # before anything is uploaded
        await gateway.load_ground_truth()
        assert (await gateway.submit(FILE))[0] == 202


@with_own_gateway
async def test_two_gateways_share_names_and_keys(database: Database) -> None:
    async with running_gateway(database) as one, running_gateway(database) as two:
        key = {"Idempotency-Key": "shared"}
        answers: list[Any] = await asyncio.gather(
            *(each.submit(FILE, headers=key, model_name="both") for each in (one, two))
        )
        assert answers[0] == answers[1]
        statuses = await asyncio.gather(
            *(each.submit(FILE, model_name="only once") for each in (one, two))
        )
        assert sorted(status for status, _ in statuses) == [202, 409]


async def test_health_and_metrics(gateway: Gateway) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        status, headers, body = await gateway.get(path)
        assert status == 200, body
        assert "aiohttp" not in headers["Server"].lower()
    gateway.readiness.stopping = True
    try:
        assert (await gateway.get("/readyz"))[0] == 503
    finally:
        gateway.readiness.stopping = False


@with_own_gateway
async def test_figures_with_a_port_of_their_own_are_not_public(database: Database) -> None:
    async with running_gateway(database, load=False, ops_port=9090) as gateway:
        assert (await gateway.get("/metrics"))[0] == 404
        assert (await gateway.get("/readyz"))[0] == 200


@with_own_gateway
async def test_a_database_that_is_gone_is_503(database: Database) -> None:
    async with running_gateway(database) as gateway:
        await database.pool.close()
        status, problem = await gateway.submit(FILE)
        assert (status, problem["code"]) == (503, "unavailable")
        assert (await gateway.get("/api/v1/leaderboards/official"))[0] == 200


async def test_a_client_that_leaves_is_no_failure(gateway: Gateway) -> None:
    async with aiohttp.ClientSession() as leaving:
        form = aiohttp.FormData()
        form.add_field("file", FILE, filename="p.json")
        task = asyncio.create_task(leaving.post(f"{gateway.url}/api/v1/submissions", data=form))
        await asyncio.sleep(0)
        task.cancel()
    assert (await gateway.get("/healthz"))[0] == 200


@with_own_gateway
async def test_the_process_ends_cleanly_when_told_to(postgres_url: str) -> None:
    port = free_port()
    given = {"MEDVID_DATABASE_URL": postgres_url, "MEDVID_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.gateway",
        cwd=Path(__file__).parents[2],
        env={**os.environ, **given, "MEDVID_VALIDATION_WORKERS": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(HANG_SECONDS):
            while b"service_ready" not in (line := await process.stderr.readline()):
                assert line, "it ended before it was ready"
            # A request at work when the signal comes is still answered.
            body = form_of(FILE, model_name="last", organization="Lab")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = (
                "POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {len(body)}\r\n"
            )
            writer.write(f"{head}\r\n".encode() + body[:-10])
            await writer.drain()
            async with aiohttp.ClientSession() as client:  # its answer comes after the head above
                await client.get(f"http://127.0.0.1:{port}/healthz")
            process.send_signal(signal.SIGTERM)
            while b"service_stops" not in await process.stderr.readline():
                pass
            writer.write(body[-10:])
            assert b"no_ground_truth" in await reader.read()
            writer.close()
            rest = await process.stderr.read()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"Traceback" not in rest


def form_of(file: bytes, **fields: str) -> bytes:
    parts = {"file": file, **{name: value.encode() for name, value in fields.items()}}
    return (
        b"".join(
            b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            % (name.encode(), data)
            for name, data in parts.items()
        )
        + b"--B--\r\n"
    )
