"""Backups: one file with a consistent dump and a manifest, and the way back from it.

A tar archive of `manifest.json` and `database.dump` (pg_dump's custom format). The manifest lists
what must be there after restoring: migrations, rows of each table, checksums of dump and boards.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import tarfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import asyncpg
import orjson

from shared.runtime.errors import Conflict, InvalidInput, Misconfigured
from shared.storage.database import Connection, Database
from shared.storage.migrate import load_migrations
from shared.storage.postgres_tools import run_tool
from shared.storage.queries import load_queries
from shared.storage.scratch import scratch_folder

FORMAT: Final = 1
_SQL: Final = load_queries(__package__, "backup.sql")
_MANIFEST: Final = "manifest.json"
_DUMP: Final = "database.dump"
_MANIFEST_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 20
_LONG_SECONDS: Final = 3600.0
_KNOWS_TRANSACTION_TIMEOUT: Final = 17
_SETTING: Final = b"SET transaction_timeout = 0;"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds; checksums are sha256 in hex."""

    format: int
    created_at: str
    server_version: int
    """As Postgres gives it in server_version_num."""
    migrations: list[list[Any]]
    """Number, name and checksum of each."""
    rows: dict[str, int]
    boards: dict[str, str]
    """Checksum of the newest snapshot by 'board/scoring'."""
    dump_bytes: int
    dump_sha256: str

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a manifest; raises InvalidInput where it is not one."""
        try:
            manifest = cls(**orjson.loads(content))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise InvalidInput(f"the manifest cannot be read: {error}.", fix=_DAMAGED) from error
        if manifest.format != FORMAT:
            raise InvalidInput(
                f"the backup has format {manifest.format}, this version reads {FORMAT}.",
                fix="Restore it with the version that made it.",
            )
        return manifest


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written."""

    file: Path
    manifest: Manifest


_DAMAGED: Final = "The file is damaged or no backup; take another one."


async def back_up(database: Database, file: Path) -> Made:
    """Write a backup to `file`, which appears when it is whole; services may keep running.

    In a folder it gets a name of its own. Raises Conflict where the file exists, Misconfigured
    where dumping fails.
    """
    if await asyncio.to_thread(file.is_dir):
        file = file / f"medvid-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
    if await asyncio.to_thread(file.exists):
        raise Conflict(f"{file} exists already.", fix="Choose another name.")
    async with scratch_folder(file.parent, ".medvid-backup-") as folder:
        dump = folder / _DUMP
        async with (
            database.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read"),
        ):
            # The dump and everything that the manifest counts are of one moment.
            await connection.execute(_SQL["wait_for_dump"])
            snapshot = await connection.fetchval(_SQL["snapshot_export"])
            version = await connection.fetchval(_SQL["server_version"])
            await run_tool(
                "pg_dump",
                connection,
                *("--format=custom", "--no-owner", "--no-privileges", "--schema=public"),
                *(f"--snapshot={snapshot}", f"--file={dump}"),
            )
            manifest = await _describe(connection, version, dump)
        partial = folder / "backup"
        await asyncio.to_thread(_pack, partial, manifest, dump)
        os.link(partial, file)  # unlike a rename it never replaces what is there
    await asyncio.to_thread(_sync, file.parent)
    return Made(file, manifest)


async def restore(database: Database, file: Path, *, scratch: Path | None = None) -> Manifest:
    """Put a backup into an empty database; all of it or nothing.

    The dump is unpacked in `scratch`, by default beside the file. Raises InvalidInput for a damaged
    file, Conflict where the database is not empty, Misconfigured where the backup is newer than
    this version or the server, or does not hold what it promised.
    """
    async with scratch_folder(scratch or file.parent, ".medvid-restore-") as folder:
        manifest = await asyncio.to_thread(_unpack, file, folder / _DUMP)
        _check_migrations(manifest)
        await _check_target(database, manifest)
        async with database.pool.acquire() as connection:
            await _restore_dump(connection, folder)
    async with database.pool.acquire() as connection:
        found = await _contents(connection)
    if found != (manifest.migrations, manifest.rows, manifest.boards):
        raise Misconfigured(
            "the restored database does not hold what the manifest says.",
            fix="Drop it, and restore another backup.",
        )
    return manifest


async def _restore_dump(connection: Connection, folder: Path) -> None:
    dump, script = str(folder / _DUMP), folder / "restore.sql"
    # An empty database has the schema 'public' already.
    options = ("--clean", "--if-exists", "--no-owner", "--no-privileges")
    if connection.get_server_version().major >= _KNOWS_TRANSACTION_TIMEOUT:
        how = ("--exit-on-error", "--single-transaction", "--dbname=")
        await run_tool("pg_restore", connection, *how, *options, dump)
        return
    # Newer programs set what an older server does not know, and it refuses all that follows.
    await run_tool("pg_restore", connection, f"--file={script}", *options, dump)
    await asyncio.to_thread(_leave_out, _SETTING, script)
    careful = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
    await run_tool("psql", connection, *careful, f"--file={script}")


def _leave_out(statement: bytes, script: Path) -> None:
    """Make a comment of a statement among the first of a script, which may be large."""
    with script.open("r+b") as file:
        at = file.read(_CHUNK).find(b"\n" + statement)
        if at >= 0:
            file.seek(at + 1)
            file.write(b"--")


def read_manifest(file: Path) -> Manifest:
    """Check a backup and return what it holds; raises InvalidInput where it is damaged."""
    return _unpack(file, None)


async def _describe(connection: Any, version: int, dump: Path) -> Manifest:
    migrations, rows, boards = await _contents(connection)
    size, sha256 = await asyncio.to_thread(_digest, dump)
    return Manifest(
        format=FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        server_version=version,
        migrations=migrations,
        rows=rows,
        boards=boards,
        dump_bytes=size,
        dump_sha256=sha256,
    )


async def _contents(connection: Any) -> tuple[list[list[Any]], dict[str, int], dict[str, str]]:
    try:
        migrations = await connection.fetch(_SQL["migrations"])
        await connection.execute(_SQL["rows_counter"])
        rows = await connection.fetch(_SQL["rows_by_table"], timeout=_LONG_SECONDS)
        boards = await connection.fetch(_SQL["boards"])
    except asyncpg.UndefinedTableError as error:
        raise Misconfigured(
            "the database has no schema of medvid.", fix="Run 'medvid admin migrate' first."
        ) from error
    return (
        [list(row) for row in migrations],
        {row["name"]: row["rows"] for row in rows},
        {row["board"]: row["content_sha256"] for row in boards},
    )


def _check_migrations(manifest: Manifest) -> None:
    known = [[step.number, step.name, step.sha256] for step in load_migrations()]
    if manifest.migrations != known[: len(manifest.migrations)]:
        raise Misconfigured(
            f"the backup has {len(manifest.migrations)} migrations, and not only ours.",
            fix="Restore it with the version that made it, or a newer one.",
        )


async def _check_target(database: Database, manifest: Manifest) -> None:
    if await database.pool.fetchval(_SQL["tables"]):
        raise Conflict(
            "the database is not empty.",
            fix="Make a new one ('createdb') and point MEDVID_DATABASE_URL at it.",
        )
    version = await database.pool.fetchval(_SQL["server_version"])
    if version // 10_000 < manifest.server_version // 10_000:
        raise Misconfigured(
            f"the backup is of Postgres {manifest.server_version // 10_000}, "
            f"the server is {version // 10_000}.",
            fix="Use a server of that version or a newer one.",
        )


def _pack(target: Path, manifest: Manifest, dump: Path) -> None:
    content = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
    with target.open("xb") as out:
        with tarfile.open(fileobj=out, mode="w") as archive:
            described = tarfile.TarInfo(_MANIFEST)
            described.size = len(content)
            archive.addfile(described, io.BytesIO(content))
            archive.add(dump, _DUMP, filter=_anonymous)
        out.flush()
        os.fsync(out.fileno())
    target.chmod(0o600)  # it holds ground truth and contacts


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _unpack(file: Path, dump: Path | None) -> Manifest:
    """Check the dump against the manifest, and write it to its place if it gets one."""
    digest, size = hashlib.sha256(), 0
    try:
        with (
            tarfile.open(file, mode="r:") as archive,
            nullcontext() if dump is None else dump.open("xb") as target,
        ):
            manifest = Manifest.parse(_member(archive, _MANIFEST).read(_MANIFEST_BYTES))
            source = _member(archive, _DUMP)
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if target is not None:
                    target.write(chunk)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", fix=_DAMAGED) from error
    if (size, digest.hexdigest()) != (manifest.dump_bytes, manifest.dump_sha256):
        raise InvalidInput(f"{file}: the dump is not the one of the manifest.", fix=_DAMAGED)
    return manifest


def _member(archive: tarfile.TarFile, name: str) -> Any:
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def _digest(file: Path) -> tuple[int, str]:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return file.stat().st_size, digest


def _sync(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
