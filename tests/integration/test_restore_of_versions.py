"""A backup of the version before is restored by this one, whatever migration came in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from services.operate.backup_check import restored_and_checked
from shared.storage.backup import back_up, restore
from shared.storage.database import Database, connect
from shared.storage.migrate import load_migrations, migrate, require_schema
from tests.conftest import Servers
from tests.depth import deep
from tests.released.rows import MIGRATIONS, fill

_ENTRIES = 12
_WHAT_STAYS = {
    "entries": "SELECT id, model_name, listed, removed_at FROM entries",
    "scores": "SELECT entry_id, metric, compat, strict, judge_version FROM scores",
    "verdicts": "SELECT judge_version, pair, repeat, scores FROM judge_verdicts",
    "texts": "SELECT sha256, prediction, reference FROM judge_pairs",
    "runs": "SELECT run_id, ordinal, repeat, pair FROM judge_run_pairs",
    "uploads": "SELECT submission_id, content FROM payloads",
    "snapshots": "SELECT id, content, content_sha256 FROM snapshots",
    "history": "SELECT entry_id, scoring, rank, since_snapshot FROM rank_history",
    "states": "SELECT id, state, withdrawn_by FROM submissions",
    "audit": "SELECT who, action, subject, why FROM audit_log",
}


@pytest.fixture
async def empty_urls(servers: Servers) -> AsyncIterator[tuple[str, str]]:
    """Give two databases without a schema: where a version runs, and where its backup goes."""
    names = [f"empty_{uuid4().hex[:12]}" for _ in range(2)]
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    for name in names:
        await admin.execute(f"CREATE DATABASE {name}")
    yield servers.postgres_url(names[0]), servers.postgres_url(names[1])
    for name in names:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.close()


async def what_stays(database: Database) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: sorted(tuple(row) for row in await database.pool.fetch(query))
        for name, query in _WHAT_STAYS.items()
    }


@pytest.mark.parametrize("version", MIGRATIONS)
async def test_a_backup_of_a_released_version_is_restored_and_stands_as_it_stood(
    version: str, empty_urls: tuple[str, str], tmp_path: Path
) -> None:
    """By the nightly check, too: its boards ranked by this version's code are those it showed."""
    url = empty_urls[0]
    async with connect(url, size=2, application_name="test") as database:
        await fill(database, version, entries=_ENTRIES)
        await back_up(database, tmp_path / "medvid-1.tar")
    findings = await restored_and_checked(tmp_path / "medvid-1.tar", tmp_path / "scratch")
    states = {finding.check: finding.state for finding in findings}
    assert states == dict.fromkeys(states, "ok")
    assert f"{_ENTRIES} entries stand" in findings[-1].says
    newer = len(load_migrations()) - MIGRATIONS[version]
    assert f"{newer} newer ones" in findings[2].says


@deep
@pytest.mark.parametrize("version", MIGRATIONS)
async def test_a_backup_is_restored_after_every_migration(
    version: str, empty_urls: tuple[str, str], servers: Servers, tmp_path: Path
) -> None:
    url, target = empty_urls
    migrations = load_migrations()
    async with connect(url, size=2, application_name="test") as database:
        await fill(database, version, entries=_ENTRIES)
        before = await what_stays(database)
        for count in range(MIGRATIONS[version], len(migrations) + 1):
            await migrate(database, migrations[:count])
            file = tmp_path / f"{count}.tar"
            await back_up(database, file)
            await emptied(servers, target)
            async with connect(target, size=2, application_name="test") as restored:
                manifest = await restore(restored, file)
                assert len(manifest.migrations) == count
                assert await migrate(restored) == len(migrations) - count
                await require_schema(restored)
                assert await what_stays(restored) == before, f"after migration {count}"


async def emptied(servers: Servers, url: str) -> None:
    name = urlsplit(url).path.strip("/")
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
