"""A backup holds one moment, says what is in it, and brings everything back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import orjson
import pytest

from services.gateway.boards.current import Boards
from services.gateway.boards.store import SnapshotStore
from services.gateway.pages.rendering import Pages
from services.standalone import StandaloneSettings, running
from shared.runtime.errors import Conflict, InvalidInput, Misconfigured
from shared.storage import backup
from shared.storage import database as storage_database
from shared.storage.backup import back_up, read_manifest, restore
from shared.storage.database import Database, connect
from shared.storage.migrate import require_schema
from tests.conftest import Servers
from tests.patience import HANG_SECONDS
from tests.preloaded import with_pipes
from tests.rows import accept_submission, add_listed_entry
from tests.servers import PostgresServer, free_port


@pytest.fixture
async def empty_url(servers: Servers) -> AsyncIterator[str]:
    name = f"empty_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    yield servers.postgres_url(name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def boards(database: Database) -> dict[tuple[str, str], bytes]:
    """The bytes that a gateway serves, JSON and page."""
    pages = Pages()
    made = Boards(SnapshotStore(database), pages.board, poll_seconds=60)
    await made.refresh()
    served = {}
    for board in ("community", "official"):
        for scoring in ("compat", "strict"):
            ready = made.get(board, scoring)  # type: ignore[arg-type]
            assert ready is not None
            served[board, scoring] = ready.json.identity.body + ready.page.identity.body
    return served


async def states(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT state FROM submissions ORDER BY state")
    return [row["state"] for row in rows]


async def work_until(url: str, database: Database, folder: Path, wanted: list[str]) -> None:
    """Run all services until the submissions are in these states."""
    settings = StandaloneSettings(
        database_url=url,
        data_dir=folder,
        port=free_port(),
        scorer_processes=1,
        validation_workers=1,
        similarities=False,
        patrol_seconds=0.2,
        still_seconds=0.2,
    )
    async with asyncio.timeout(HANG_SECONDS), running(settings):
        while await states(database) != wanted:
            await asyncio.sleep(0.05)


async def test_another_server_serves_the_same_boards_and_goes_on_with_what_was_unfinished(
    postgres_url: str, database: Database, tmp_path: Path
) -> None:
    await add_listed_entry(database, "Published", {"cvs_acc": 0.5, "dvc_llm": 3.25})
    await accept_submission(database, "Done")
    await work_until(postgres_url, database, tmp_path / "a", ["ranked"])
    await accept_submission(database, "In the outbox")
    lost = await accept_submission(database, "Message lost")
    await database.pool.execute("DELETE FROM outbox WHERE message_id = $1", lost.message_id)
    before = await boards(database)
    file = tmp_path / "backup.tar"
    manifest = (await back_up(database, file)).manifest
    assert manifest.rows["submissions"] == 3
    assert read_manifest(file) == manifest
    assert file.stat().st_mode & 0o777 == 0o600

    with PostgresServer() as server:
        async with connect(server.url(), size=4, application_name="test") as restored:
            assert await restore(restored, file) == manifest
            await require_schema(restored)
            assert await boards(restored) == before
            assert await states(restored) == ["accepted", "accepted", "ranked"]
            await work_until(server.url(), restored, tmp_path / "b", ["ranked"] * 3)
            after = await boards(restored)
            assert after["community", "compat"] != before["community", "compat"]
            assert after["official", "compat"] == before["official", "compat"]


async def test_a_backup_under_load_holds_one_moment(
    database: Database, tmp_path: Path, empty_url: str
) -> None:
    stop = asyncio.Event()

    async def write() -> int:
        number = 0
        while not stop.is_set():
            number += 1
            await accept_submission(database, f"Model {number}")
        return number

    writer = asyncio.create_task(write())
    await asyncio.sleep(0)
    manifest = (await back_up(database, tmp_path / "backup.tar")).manifest
    stop.set()
    assert await writer > manifest.rows["submissions"]
    async with connect(empty_url, size=2, application_name="test") as restored:
        await restore(restored, tmp_path / "backup.tar")
        halves = await restored.pool.fetchval(
            "SELECT count(*) FROM submissions s WHERE NOT EXISTS"
            " (SELECT FROM payloads p WHERE p.submission_id = s.id)"
        )
    assert halves == 0
    assert (
        len({manifest.rows[table] for table in ("submissions", "payloads", "submission_history")})
        == 1
    )


async def test_a_dump_may_take_longer_than_a_session_may_idle_in_a_transaction(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = storage_database._WHEN_WE_VANISH  # noqa: SLF001 - 20 s, which a large database takes
    monkeypatch.setitem(limits, "idle_in_transaction_session_timeout", "20ms")
    async with connect(postgres_url, size=2, application_name="test") as database:
        made = await back_up(database, tmp_path / "backup.tar")
    assert made.manifest.dump_bytes


async def test_a_database_that_is_not_empty_is_refused(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    await back_up(database, file)
    with pytest.raises(Conflict, match="not empty"):
        await restore(database, file)
    with pytest.raises(Conflict, match="exists"):
        await back_up(database, file)


def rewrite(source: Path, target: Path, **changes: object) -> None:
    """Copy a backup with another manifest."""
    with tarfile.open(source) as given:
        manifest = orjson.loads(given.extractfile("manifest.json").read())  # type: ignore[union-attr]
        given.extract("database.dump", target.parent, filter="data")
    kept = {key: value for key, value in (manifest | changes).items() if key != "dump_sha256"}
    dump = target.parent / "database.dump"
    written = replace(
        backup.Manifest(**kept, dump_sha256=""),
        dump_sha256=str(changes.get("dump_sha256", manifest["dump_sha256"])),
    )
    backup._pack(target, written, dump)  # noqa: SLF001 - a damaged file is made as a whole one is
    dump.unlink()


async def test_damage_and_strangers_are_found_before_anything_is_changed(
    database: Database, tmp_path: Path, empty_url: str
) -> None:
    good = tmp_path / "backup.tar"
    manifest = (await back_up(database, good)).manifest
    content = good.read_bytes()
    cases: dict[str, tuple[type[Exception], str]] = {}

    def case(name: str, error: type[Exception], says: str) -> Path:
        cases[name] = error, says
        return tmp_path / name

    case("no-tar", InvalidInput, "cannot be read").write_bytes(b"hello")
    case("cut", InvalidInput, "damaged").write_bytes(content[: len(content) // 2])
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    case("flipped", InvalidInput, "not the one").write_bytes(flipped)
    rewrite(good, case("other-format", InvalidInput, "format 2"), format=2)
    rewrite(good, case("wrong-sum", InvalidInput, "not the one"), dump_sha256="0" * 64)
    newer = [*manifest.migrations, [len(manifest.migrations) + 1, "future", "x"]]
    rewrite(good, case("newer-schema", Misconfigured, "newer one"), migrations=newer)
    rewrite(good, case("newer-server", Misconfigured, "Postgres 99"), server_version=990000)
    async with connect(empty_url, size=2, application_name="test") as empty:
        for name, (error, says) in cases.items():
            with pytest.raises(error, match=says):
                await restore(empty, tmp_path / name)
        assert await empty.pool.fetchval("SELECT count(*) FROM pg_tables"
                                         " WHERE schemaname = 'public'") == 0  # fmt: skip


async def test_what_does_not_hold_what_it_promised_is_told(
    database: Database, tmp_path: Path, empty_url: str
) -> None:
    manifest = (await back_up(database, tmp_path / "good.tar")).manifest
    rows = manifest.rows | {"entries": 17}
    rewrite(tmp_path / "good.tar", tmp_path / "other.tar", rows=rows)
    async with connect(empty_url, size=2, application_name="test") as empty:
        with pytest.raises(Misconfigured, match="does not hold"):
            await restore(empty, tmp_path / "other.tar")


async def test_the_commands_work_and_show_no_password(postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url.replace("postgres@", "postgres:a-password@")

    async def medvid(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MEDVID_DATABASE_URL": url}
        process = await with_pipes("medvid", "admin", *arguments, env=environment)
        out, err = await process.communicate()
        return subprocess.CompletedProcess(
            arguments, await process.wait(), out.decode(), err.decode()
        )

    file = tmp_path / "backup.tar"
    made = await medvid("backup", str(file))
    assert made.returncode == 0, made.stderr
    named = await medvid("backup", str(tmp_path))
    assert sum(name.endswith("Z.tar") for name in os.listdir(tmp_path)) == 1, named.stderr
    checked = await medvid("restore", "--check", str(file))
    assert "is whole" in checked.stdout
    refused = await medvid("restore", str(file))
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert "a-password" not in made.stdout + made.stderr + checked.stdout + refused.stderr
