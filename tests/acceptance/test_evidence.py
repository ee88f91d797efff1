"""A stranger recomputes a board from what the server publishes."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
import pytest

from medvid.evidence.archive import read_archive
from medvid.evidence.sealed import read_sealed
from medvid.evidence.signatures import Signer
from medvid.evidence.verify import verify
from medvid.evidence.verify_sealed import verify_sealed
from services.ranker.consume import build_consumer, build_statistics_consumer
from services.ranker.links import link_what_is_left
from shared.contracts.messages import BoardChanged, BoardRanked, Envelope
from shared.messaging.bus import Delivery, Done
from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.topology import RANKER_BOARDS, RANKER_STATISTICS
from shared.storage.database import Database
from tests.acceptance.administration_harness import KEY, WHY, Site, running_site
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.depth import deep
from tests.fakes.grader import FakeGrader
from tests.judging import judging, reaches, replica, request_run
from tests.measuring import METRIC, entry, noisy
from tests.patience import HANG_SECONDS
from tests.preloaded import with_pipes
from tests.rows import Stored, accept_submission, add_listed_entry

BOARD: Final = "/api/v1/leaderboards/community"
SIGNER: Final = Signer.of("5a" * 32)
OTHER: Final = Signer.of("6b" * 32)


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(
        database, load=False, board_poll_seconds=0.02, public_url="https://board.example/below"
    ) as running:
        yield running


async def ranked(gateway: Gateway, signer: Signer | None = SIGNER) -> dict[str, Any]:
    """Rank the board and measure it, as the ranker does; return it as it is served then."""
    await gateway.database.pool.execute("UPDATE boards SET revision = revision + 1")
    changed = Envelope.wrap(BoardChanged(board="community"))
    consumer = build_consumer(gateway.database, signer)
    assert await consumer.handle(Delivery(RANKER_BOARDS, changed.to_bytes(), attempt=1)) == Done()
    revision = await gateway.database.pool.fetchval("SELECT max(revision) FROM snapshots")
    await gateway.shown("community", revision)
    measured = Envelope.wrap(BoardRanked(board="community", revision=revision))
    consumer = build_statistics_consumer(gateway.database, signer)
    delivery = Delivery(RANKER_STATISTICS, measured.to_bytes(), attempt=1)
    assert await consumer.handle(delivery) == Done()
    async with asyncio.timeout(HANG_SECONDS):
        while (found := await board(gateway))["entries"][0]["statistics"] is None:
            await asyncio.sleep(0.01)
    return found


async def board(gateway: Gateway, query: str = "?scoring=compat") -> dict[str, Any]:
    _, _, body = await gateway.get(BOARD + query)
    found: dict[str, Any] = orjson.loads(body)
    return found


async def filled(gateway: Gateway) -> list[UUID]:
    database = gateway.database
    ids = [await entry(database, name, noisy(0.5 + n / 100, n)) for n, name in enumerate("AB")]
    await add_listed_entry(database, "Imported", {METRIC: 0.9, "vs_llm": 3.5})
    await add_listed_entry(database, "Empty", {})
    return ids


async def rescored(gateway: Gateway, entry_id: UUID, value: float) -> None:
    await gateway.database.pool.execute(
        "UPDATE scores SET compat = $2 WHERE entry_id = $1", entry_id, value
    )


async def medvid(*arguments: str, home: Path, url: str = "") -> tuple[int | None, str, str]:
    environment = {name: value for name, value in os.environ.items() if "MEDVID" not in name}
    given = {"HOME": str(home), "MEDVID_URL": url, "COLUMNS": "200"}
    process = await with_pipes("medvid", *arguments, env=environment | given)
    async with asyncio.timeout(HANG_SECONDS):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


async def test_a_board_is_recomputed_from_its_evidence(gateway: Gateway, tmp_path: Path) -> None:
    await filled(gateway)
    shown = await ranked(gateway)
    link = shown["link"]
    assert link["key_id"] == SIGNER.key_id
    status, headers, archive = await gateway.get(link["evidence"])
    assert (status, headers["Content-Type"]) == (200, "application/x-tar")
    assert "evidence.tar" in headers["Content-Disposition"]
    _, _, again = await gateway.get(link["evidence"])
    _, _, newest = await gateway.get(f"{BOARD}/evidence")
    assert archive == again == newest
    status, _, _ = await gateway.get(link["evidence"], If_None_Match=headers["ETag"])
    assert status == 304

    result = verify(read_archive(archive), {SIGNER.key_id: SIGNER.public_key})
    assert (result.first, result.signed) == (None, 3), "the other scoring's is later"
    described = result.archive.description
    assert described.link.model_dump() == {"number": link["number"], "hash": link["sha256"]}
    rows = [*result.archive.rows, *result.archive.unranked]
    assert [row.entry_id for row in rows] == [row["entry_id"] for row in shown["entries"]]
    statistics = result.archive.statistics
    assert statistics is not None
    for row in shown["entries"][:-1]:
        own = statistics.entries[row["entry_id"]]
        assert {name: getattr(own, name) for name in row["statistics"]} == row["statistics"]

    _, _, body = await gateway.get("/api/v1/evidence/keys")
    (key,) = orjson.loads(body)["keys"]
    assert key["public_key"] == SIGNER.public_key
    kept = tmp_path / "keys.json"
    kept.write_bytes(body)
    url = gateway.url + link["evidence"]
    status, out, err = await medvid("verify", url, "--key", str(kept), home=tmp_path)
    assert status == 0, err
    assert "nothing differs" in out
    assert link["sha256"] in out
    assert "3 of 3 links, valid, by a key that you gave" in out
    file = tmp_path / "it.tar"
    status, out, err = await medvid(
        "export-evidence", str(shown["snapshot"]), "-o", str(file), home=tmp_path, url=gateway.url
    )
    assert status == 0, err
    assert file.read_bytes() == archive
    status, out, _ = await medvid("verify", str(file), "--json", home=tmp_path)
    assert status == 0
    assert json.loads(out)["head"] == described.link.model_dump()

    file.write_bytes(archive.replace(b'"cvs_acc":0.9,', b'"cvs_acc":0.8,', 1))
    status, out, err = await medvid("verify", str(file), home=tmp_path)
    assert status == 1
    assert "values.cvs_acc is 0.8, recomputed 0.9" in err
    status, out, _ = await medvid("verify", str(file), "--json", home=tmp_path)
    report = json.loads(out)["error"]
    assert (report["code"], report["report"]["field"]) == ("differs", "values.cvs_acc")
    kept.write_text(OTHER.public_key)
    status, _, err = await medvid("verify", url, "--key", str(kept), home=tmp_path)
    assert status == 1
    assert f"link 1: the key is '{SIGNER.key_id}'" in err
    kept.write_text("no key")
    status, _, err = await medvid("verify", url, "--key", str(kept), home=tmp_path)
    assert (status, "holds no public key" in err) == (2, True)
    status, _, err = await medvid("verify", gateway.url, home=tmp_path)
    assert (status, "no address of evidence" in err) == (2, True)


async def test_evidence_comes_before_its_statistics_and_then_with_them(gateway: Gateway) -> None:
    await filled(gateway)
    await gateway.rank_listed()
    before = await board(gateway)
    _, _, body = await gateway.get(before["link"]["evidence"])
    early = verify(read_archive(body))
    assert (early.first, early.archive.statistics, early.signed) == (None, None, 0)
    after = await ranked(gateway)
    assert after["snapshot"] == before["snapshot"]
    assert after["link"]["number"] == before["link"]["number"] + 2
    _, _, body = await gateway.get(after["link"]["evidence"])
    late = verify(read_archive(body))
    assert late.first is None
    assert late.archive.links[: len(early.archive.links)] == early.archive.links


async def test_a_thinned_snapshot_is_still_known(gateway: Gateway, tmp_path: Path) -> None:
    ids = await filled(gateway)
    first = await ranked(gateway)
    await rescored(gateway, ids[0], 0.1)
    await ranked(gateway)
    await gateway.database.pool.execute("DELETE FROM snapshots WHERE id = $1", first["snapshot"])
    file = tmp_path / "pruned.tar"
    status, _, archive = await gateway.get(f"{BOARD}/evidence?snapshot={first['snapshot']}")
    file.write_bytes(archive)
    assert status == 200
    found = verify(read_archive(archive))
    assert (found.first, found.archive.description.state) == (None, "pruned")
    assert found.archive.links[-1].hash == first["link"]["sha256"], "as a witness kept it"
    status, out, _ = await medvid("verify", str(file), home=tmp_path)
    assert (status, "hash known, content pruned" in out) == (0, True)


async def test_keys_change_and_the_old_one_stays_listed(gateway: Gateway) -> None:
    ids = await filled(gateway)
    await ranked(gateway, None)
    await rescored(gateway, ids[0], 0.1)
    await ranked(gateway, SIGNER)
    await rescored(gateway, ids[0], 0.2)
    shown = await ranked(gateway, OTHER)
    _, _, archive = await gateway.get(shown["link"]["evidence"])
    found = verify(read_archive(archive))
    assert (found.first, found.signed, len(found.archive.links)) == (None, 4, 8)
    _, _, body = await gateway.get("/api/v1/evidence/keys")
    keys = [key["key_id"] for key in orjson.loads(body)["keys"]]
    assert keys == [SIGNER.key_id, OTHER.key_id]


async def test_what_is_not_there_says_so(gateway: Gateway) -> None:
    await filled(gateway)
    assert (await gateway.get(f"{BOARD}/evidence"))[0] == 404
    shown = await ranked(gateway)
    number = shown["snapshot"]
    for path, status, code in (
        (f"/api/v1/leaderboards/official/evidence?snapshot={number}", 404, "snapshot_not_found"),
        (f"{BOARD}/evidence?snapshot=999", 404, "snapshot_not_found"),
        (f"{BOARD}/evidence?snapshot=0", 400, "invalid_query"),
        ("/api/v1/leaderboards/x/evidence", 404, "board_not_found"),
    ):
        answered, _, body = await gateway.get(path)
        assert (answered, orjson.loads(body)["code"]) == (status, code), body


async def test_a_snapshot_of_the_version_before_is_linked_and_shown(gateway: Gateway) -> None:
    await filled(gateway)
    await gateway.rank_listed()
    async with gateway.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM links")
        await connection.execute("DELETE FROM snapshot_values")
    number = await gateway.database.pool.fetchval("SELECT min(id) FROM snapshots")
    status, _, _ = await gateway.get(f"{BOARD}/evidence?snapshot={number}")
    assert status == 503
    await link_what_is_left(gateway.database, None)
    status, _, body = await gateway.get(f"{BOARD}/evidence?snapshot={number}")
    assert status == 200
    found = verify(read_archive(body))
    assert (found.first, found.archive.values) == (None, None)


async def test_replicates_leave_in_no_public_answer(gateway: Gateway) -> None:
    """Neither they nor what they could be found by: their digests, and the salt of the sealed hash.

    Looked for in everything that can be read about the board without being an administrator.
    """
    ids = await filled(gateway)
    shown = await ranked(gateway)
    database = gateway.database
    rows = await database.pool.fetch("SELECT replicates, digest FROM replicates")
    salts = await database.pool.fetch("SELECT salt FROM snapshot_values")
    whole = await database.pool.fetch("SELECT DISTINCT replicates_sha256 AS all FROM snapshots")
    secrets = [
        *(row["digest"] for row in rows),
        *(row["salt"] for row in salts),
        *(bytes.fromhex(row["all"]) for row in whole),
    ]
    words = {form for each in secrets for form in (each.hex(), base64.b64encode(each).decode())}
    numbers = [
        f"{value:.4f}" for row in rows for value in np.frombuffer(row["replicates"], "<f8")[:20]
    ]
    assert len(words) >= 10
    snapshot, one, other = shown["snapshot"], *ids
    _, _, description = await gateway.get("/api/v1/openapi.json")
    reads = [path for path, found in orjson.loads(description)["paths"].items() if "get" in found]
    about = f"{BOARD}/comparisons?a={one}&b={other}"
    pages = [
        BOARD, f"{BOARD}.csv", f"{BOARD}/entries/{one}", about, f"{BOARD}?as_of={snapshot}",
        f"/api/v1/snapshots/{snapshot}", f"{BOARD}/evidence?snapshot={snapshot}", "/community",
        f"/boards/community/entries/{one}", f"/boards/community/snapshots/{snapshot}",
        f"/compare?board=community&models={one},{other}", "/about", "/feed.atom", "/status",
        "/api/v1/evidence/keys", "/api/v1/leaderboards", "/api/v1/status", "/docs",
    ]  # fmt: skip
    public = [path for path in reads if "{" not in path and "/admin" not in path]
    for path in {*pages, *public}:
        status, _, body = await gateway.get(path)
        if status in (401, 403, 404):
            continue
        assert status == 200, path
        texts = [body]
        if body[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                found = [archive.extractfile(name) for name in archive.getnames()]
                texts = [each.read() for each in found if each is not None]
        for text in texts:
            assert not any(secret in text for secret in secrets), path
            assert not any(word.encode() in text for word in words), path
            there = set(re.findall(rb"\d\.\d{4,}", text))
            assert len(there & {each.encode() for each in numbers}) < 5, path


@deep
@pytest.mark.parametrize("on", [pytest.param("rabbit", marks=deep), "local"])
async def test_an_auditor_recomputes_everything(
    database: Database, on: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """From an upload to the sealed part: scored, judged twice, ranked and measured for real."""
    rabbit_url = request.getfixturevalue("rabbit_url") if on == "rabbit" else None
    async with running_site(database, rabbit_url, scoring=True) as site:
        stored = await accept_submission(database, "A model")
        await add_listed_entry(database, "Imported", {METRIC: 0.9})
        await until_state(database, stored.submission_id, "ranked")
        one = replica(database, FakeGrader())
        bus = await connect_rabbit(rabbit_url) if rabbit_url else None  # closed by who judges
        async with judging(database, [one], bus):
            run_id = await request_run(database, stored.submission_id, repeats=2)
            await reaches(database, run_id, "completed")
        async with asyncio.timeout(HANG_SECONDS):
            while (shown := (await site.board("community"))["A model"])["values"]["vs_llm"] is None:
                await asyncio.sleep(0.05)
        _, found = await site.ask("GET", "/leaderboards/community", key=None)
        number = found["snapshot"]
        public, sealed = tmp_path / "public.tar", tmp_path / "sealed.tar"
        export = ("export-evidence", str(number), "-o", str(public), "--sealed", str(sealed))
        status, _, err = await medvid(*export, "--why", "an audit", home=tmp_path, url=site.url)
        assert (status, sealed.exists()) == (1, False), err
        given = ("--why", "an audit", "--key", KEY)
        status, _, err = await medvid(*export, *given, home=tmp_path, url=site.url)
        assert status == 0, err
        assert sealed.stat().st_mode & 0o077 == 0
        await replicates_stay(site, stored)
        (line,) = await site.audit(action="seal_evidence")
        assert (line["subject"], line["why"]) == (str(number), "an audit")

        check = ("verify", str(public), "--sealed", str(sealed))
        status, out, err = await medvid(*check, home=tmp_path)
        assert status == 0, err
        values = sum(value is not None for value in shown["values"].values())
        assert f"{values} values recomputed from their records" in out
        assert values >= 9


async def test_the_sealed_part_is_for_administrators(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=KEY) as gateway:
        await filled(gateway)
        shown = await ranked(gateway)
        path = f"/api/v1/admin/snapshots/{shown['snapshot']}/sealed-evidence"
        key = {"Authorization": f"Bearer {KEY}"}

        async def ask(path: str, **headers: str) -> tuple[int, bytes]:
            async with gateway.client.post(path, json={"why": WHY}, headers=headers) as answer:
                return answer.status, await answer.read()

        assert (await ask(path))[0] == 401
        status, sealed = await ask(path, **key)
        assert status == 200
        _, _, public = await gateway.get(shown["link"]["evidence"])
        found = verify_sealed(read_archive(public), read_sealed(sealed))
        assert (found.first, found.values, found.without_records) == (None, 0, 2)
        lines = await database.pool.fetch("SELECT who, subject, why FROM audit_log")
        assert [dict(line) for line in lines] == [
            {"who": "administrator", "subject": str(shown["snapshot"]), "why": WHY}
        ]
        assert (await ask(path.replace(str(shown["snapshot"]), "999"), **key))[0] == 404
        await database.pool.execute("DELETE FROM replicates WHERE scoring = 'compat'")
        status, body = await ask(path, **key)
        assert (status, orjson.loads(body)["code"]) == (409, "not_sealable")


async def replicates_stay(site: Site, stored: Stored) -> None:
    """They are in nothing that is answered about a submission, even to its administrator."""
    rows = await site.database.pool.fetch("SELECT replicates, digest FROM replicates")
    secrets = [row["digest"] for row in rows]
    words = [each.hex() for each in secrets] + [base64.b64encode(each).decode() for each in secrets]
    words += [base64.b64encode(row["replicates"]).decode()[:40] for row in rows]
    path = f"/submissions/{stored.submission_id}"
    for below in ("", "/verdicts", "/predictions"):
        status, answer = await site.ask("GET", path + below)
        text = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
        assert status == 200, answer
        assert not any(word in text for word in words), below
    for listed in ("/admin/entries", "/admin/boards/export", "/admin/audit"):
        status, answer = await site.ask("GET", listed)
        assert status == 200
        assert not any(word in orjson.dumps(answer).decode() for word in words), listed


async def until_state(database: Database, submission_id: UUID, state: str) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while state != await database.pool.fetchval(
            "SELECT state FROM submissions WHERE id = $1", submission_id
        ):
            await asyncio.sleep(0.05)
