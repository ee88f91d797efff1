"""Tracks of challenges over HTTP: what they take, how they rank, and that final results stay."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.gateway.tracks.configuration import read_tracks
from services.gateway.tracks.service import TrackService
from shared.runtime.errors import NotFound
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.acceptance.test_commands import Shell
from tests.acceptance.test_dry_run_api import validate
from tests.integration.test_retention import age, pruner
from tests.patience import HANG_SECONDS
from tests.rows import accept_submission, add_listed_entry

FILE = orjson.dumps(records())
GOOD = {"track": "Open", "team": "Us", "contact": "us@example.org"}
TEXT = """
[tracks.open]
name = "Open"
opens = 2020-01-01
closes = 2098-12-31
evaluate_only = false
submissions_per_day = 2
rules = ["Be kind."]
[tracks.open.required]
team = "your team's name"
contact = "an e-mail address"

[tracks.later]
name = "Later"
opens = 2098-01-01
closes = 2098-12-31

[tracks.over]
name = "Over"
opens = 2020-01-01
closes = 2020-02-28T12:00:00
grace_minutes = 30
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "challenges.toml"
    path.write_text(TEXT)
    return path


@asynccontextmanager
async def with_tracks(database: Database, file: Path, **changes: Any) -> AsyncIterator[Gateway]:
    async with running_gateway(database, challenges=file, **changes) as gateway:
        yield gateway


async def read(gateway: Gateway, path: str) -> Any:
    status, _, body = await gateway.get(path)
    assert status == 200, body
    return orjson.loads(body)


async def dry_run(gateway: Gateway, **fields: str) -> list[tuple[str, str]]:
    _, answer = await validate(gateway, FILE, **fields)
    return [(error["code"], error["path"]) for error in answer["errors"]]


async def test_a_track_takes_what_it_asks_for_while_it_is_open(
    database: Database, file: Path
) -> None:
    async with with_tracks(database, file) as gateway:
        status, problem = await gateway.submit(FILE, track="later")
        assert (status, problem["code"]) == (422, "track_not_open")
        assert "Wed 1 Jan 2098, 00:00 AoE (Wed 1 Jan 2098, 12:00 UTC)" in problem["detail"]
        status, problem = await gateway.submit(FILE, track="over")
        assert (status, problem["code"]) == (422, "track_closed")
        assert "Fri 28 Feb 2020, 12:00 AoE (Sat 29 Feb 2020, 00:00 UTC)" in problem["detail"]
        assert "Sat 29 Feb 2020, 00:30 UTC" in problem["detail"]

        assert await dry_run(gateway, track="Open", evaluate_only="true") == [
            ("contradiction", "$.evaluate_only"),
            ("missing_field", "$.team"),
            ("missing_field", "$.contact"),
        ]
        assert await dry_run(gateway, track="Over") == [("track_closed", "$.track")]
        assert await dry_run(gateway, **GOOD) == await dry_run(gateway) == []
        assert (await gateway.submit(FILE, track="Opne"))[1]["errors"][0]["code"] == "unknown_track"

        key = {"Idempotency-Key": "once"}
        first = await gateway.submit(FILE, headers=key, model_name="A", **GOOD)
        assert first[0] == 202
        assert await gateway.submit(FILE, headers=key, model_name="A", **GOOD) == first
        assert (await gateway.submit(FILE, **{**GOOD, "track": "open"}))[0] == 202
        status, problem = await gateway.submit(FILE, **GOOD)
        assert (status, problem["code"]) == (429, "track_quota")
        assert (await gateway.submit(FILE))[0] == 202  # without a track there is room
        stored = await database.pool.fetch("SELECT track FROM entries ORDER BY submission_id")
        assert sorted(row["track"] or "" for row in stored) == ["", "Open", "Open"]


async def test_a_new_version_stays_in_its_open_track(database: Database, file: Path) -> None:
    async with with_tracks(database, file) as gateway:
        _, receipt = await gateway.submit(FILE, model_name="A", **GOOD)
        await gateway.set_state(receipt["id"], "scored")
        await database.pool.execute("UPDATE entries SET listed = true")
        owner = {"Authorization": f"Bearer {receipt['owner_token']}"}
        again = {"replaces": receipt["id"], "model_name": "A"}
        status, problem = await gateway.submit(FILE, headers=owner, **again)
        assert (status, problem["errors"][0]["path"]) == (422, "$.team")
        status, _ = await gateway.submit(
            FILE, headers=owner, **again, team="Us", contact="us@example.org"
        )
        assert status == 202
        tracks = await database.pool.fetch("SELECT track FROM entries")
        assert [row["track"] for row in tracks] == ["Open", "Open"]


async def entry(database: Database, name: str, value: float, track: str | None) -> UUID:
    entry_id = await add_listed_entry(database, name, {"cvs_acc": value})
    await database.pool.execute("UPDATE entries SET track = $2 WHERE id = $1", entry_id, track)
    return entry_id


async def test_a_track_ranks_within_itself(database: Database, file: Path) -> None:
    async with with_tracks(database, file, board_poll_seconds=0.02) as gateway:
        for name, value, track in (("A", 0.9, None), ("B", 0.5, "Open"), ("C", 0.7, "Open")):
            await entry(database, name, value, track)
        await gateway.rank_listed()
        found = await read(gateway, "/api/v1/tracks")
        assert [each["state"] for each in found["tracks"]] == ["open", "upcoming", "closed"]
        track = await read(gateway, found["tracks"][0]["page"].replace("/", "/api/v1/", 1))
        assert track == found["tracks"][0]
        board = await read(gateway, track["board"])
        assert board["view"] == {"by": "track", "weights": {}}
        assert [
            (each["model_name"], each["view_rank"], each["rank"]) for each in board["entries"]
        ] == [("C", 1, 2), ("B", 2, 3)]
        _, _, body = await gateway.get(track["csv"])
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        assert [(row["view_rank"], row["rank"]) for row in rows] == [("1", "2"), ("2", "3")]
        _, _, page = await gateway.get(track["page"])
        for text in ("31 Dec 2098, 24:00 AoE", "Be kind.",
                     "an e-mail address", "closes in"):  # fmt: skip
            assert text in page.decode()
        assert page.index(b">C</a>") < page.index(b">B</a>")
        assert b">A</a>" not in page
        assert b"Challenges" in (await gateway.get("/tracks"))[2]
        assert b'value="Later"' not in (await gateway.get("/submit"))[2]
        status, _, body = await gateway.get("/api/v1/tracks/open/final")
        assert (status, orjson.loads(body)["code"]) == (404, "track_not_final")
        status, _, body = await gateway.get("/tracks/nothing")
        assert status == 404


async def test_final_results_wait_for_all_that_counts_and_stay(
    database: Database, file: Path
) -> None:
    tracks = read_tracks(file)
    over = tracks.find("over")
    assert over is not None
    settling = timedelta(seconds=60)
    moment = over.ends_at + settling
    service = TrackService(database, tracks, settling, lambda: moment)
    async with running_gateway(database, board_poll_seconds=0.02) as gateway:
        first = await entry(database, "First", 0.9, "Over")
        await entry(database, "Other", 0.8, None)
        last = await entry(database, "Last", 0.1, "Over")
        await gateway.rank_listed()
        waiting = await accept_submission(database, "Waiting")
        await database.pool.execute(
            "UPDATE entries SET track = 'Over' WHERE id = $1", waiting.entry_id
        )
        early = TrackService(database, tracks, settling, lambda: moment - timedelta(microseconds=1))
        for each in (early, service):  # too early, and a submission is not scored
            await each.freeze_due()
            assert await service.finals() == {}
        await gateway.set_state(str(waiting.submission_id), "failed", code="x", reason="x")
        await database.pool.execute("UPDATE boards SET revision = revision + 1")
        await service.freeze_due()  # the board is behind
        assert await service.finals() == {}
        await gateway.rank_listed()
        await early.freeze_due()
        assert await service.finals() == {}
        await asyncio.gather(*(service.freeze_due() for _ in range(4)))
        [audited] = await database.pool.fetch("SELECT * FROM audit_log")
        assert (audited["action"], audited["subject"], audited["who"]) == (
            "freeze_track", "over", "server",
        )  # fmt: skip
        final = await service.final(over)
        assert set(final.snapshots) == {"compat", "strict"}
        with pytest.raises(NotFound):
            await service.final(tracks.all[0])

        # What happens afterwards changes nothing.
        await entry(database, "Late", 1.0, "Over")
        await database.pool.execute("UPDATE entries SET removed_at = now() WHERE id = $1", first)
        await database.pool.execute("UPDATE boards SET revision = revision + 1")
        await gateway.rank_listed()
        await service.freeze_due()
        assert await service.final(over) == final
        await age(database, "snapshots.created_at", days=800)
        for _ in range(2):
            await pruner(database).prune()
    async with with_tracks(database, file) as gateway:
        found = await read(gateway, "/api/v1/tracks/over/final")
        ranked = [(each["model_name"], each["view_rank"]) for each in found["board"]["entries"]]
        assert ranked == [("First", 1), ("Last", 2)]
        assert found["board"]["entries"][1]["entry_id"] == str(last)
        assert [(each["entry_id"], each["state"]) for each in found["left_since"]] == [
            (str(first), "removed")
        ]
        assert found["board"]["snapshot"] == final.snapshots["compat"]
        _, _, body = await gateway.get("/api/v1/tracks/over/final?format=csv")
        assert [row["model_name"] for row in csv.DictReader(io.StringIO(body.decode()))] == [
            "First", "Last",
        ]  # fmt: skip
        _, _, page = await gateway.get("/tracks/over/final")
        assert "removed by an administrator" in page.decode()
        [track] = [
            each for each in (await read(gateway, "/api/v1/tracks"))["tracks"] if each["final"]
        ]
        assert (track["id"], track["state"]) == ("over", "final")


async def test_an_upload_that_is_checked_while_results_are_frozen_comes_too_late(
    database: Database, file: Path
) -> None:
    async with with_tracks(database, file) as gateway:
        await entry(database, "A", 0.9, "Open")
        await gateway.rank_listed()
        await database.pool.execute(
            "INSERT INTO track_finals (track, name, scoring, snapshot_id)"
            " SELECT 'open', 'Open', scoring, id FROM snapshots WHERE board = 'community'"
        )
        status, problem = await gateway.submit(FILE, **GOOD)
        assert (status, problem["code"]) == (422, "track_closed")
        assert await database.pool.fetchval("SELECT count(*) FROM submissions") == 0


async def test_the_contact_is_never_public(database: Database, file: Path) -> None:
    async with with_tracks(database, file, board_poll_seconds=0.02) as gateway:
        _, receipt = await gateway.submit(FILE, model_name="A", **GOOD)
        await gateway.set_state(receipt["id"], "scored")
        entry_id = await database.pool.fetchval(
            "UPDATE entries SET listed = true RETURNING id::text"
        )
        await database.pool.execute("UPDATE boards SET revision = revision + 1")
        await gateway.rank_listed()
        for path in (
            "/api/v1/leaderboards/community?track=Open", "/community", "/tracks/open",
            f"/api/v1/leaderboards/community/entries/{entry_id}", "/api/v1/tracks/open",
            f"/api/v1/submissions/{receipt['id']}",
        ):  # fmt: skip
            _, _, body = await gateway.get(path)
            assert b"us@example.org" not in body


async def test_results_are_frozen_by_the_gateway_itself(database: Database, file: Path) -> None:
    async with with_tracks(database, file, patrol_seconds=0.02) as gateway:
        await entry(database, "A", 0.9, "Over")
        await gateway.rank_listed()
        async with asyncio.timeout(HANG_SECONDS):
            while (await gateway.get("/api/v1/tracks/over/final"))[0] != 200:
                await asyncio.sleep(0.02)


async def test_the_commands_show_tracks_and_submit_to_them(
    database: Database, file: Path, tmp_path: Path
) -> None:
    async with with_tracks(database, file, patrol_seconds=0.02) as gateway:
        await entry(database, "A", 0.5, "Over")
        await entry(database, "B", 0.9, None)
        await gateway.rank_listed()
        medvid = Shell(tmp_path, gateway.url)
        every = await medvid("tracks")
        assert [line.split()[:3] for line in every.out.splitlines()[1:]][1:] == [
            ["later", "Later", "upcoming"], ["over", "Over", "final"],
        ]  # fmt: skip
        one = await medvid("tracks", "open")
        assert "Needs   --contact: an e-mail address" in one.out
        assert "At most 2 submissions in 24 hours" in one.out
        board = await medvid("board", "community", "--track", "Over", "--metric", "cvs_acc")
        assert _ranked(board.out) == [["1", "2", "A"]]
        final = await medvid("tracks", "over", "--final")
        assert _ranked(final.out)[0] == ["1", "2", "A"]
        assert all(row == ["1", "2", "A"] for row in _ranked(final.out)), "cut by its width alone"
        path = tmp_path / "predictions.json"
        path.write_bytes(FILE)
        late = await medvid("submit", str(path), "-m", "X", "-o", "Y", "--track", "over", "--yes")
        assert late.status == 1
        assert "24:00 AoE" in late.err or "12:00 AoE" in late.err
        assert (await medvid("tracks", "--final")).status == 2


def _ranked(shown: str) -> list[list[str]]:
    """Return place, rank and model of each row of a board in a terminal, once for each table."""
    rows = [line.split()[:3] for line in shown.splitlines()]
    return [row for row in rows if row and row[0].isdigit()]
