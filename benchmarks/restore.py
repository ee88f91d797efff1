"""How long the way back takes: a backup of a released version, restored and brought up to date.

    python benchmarks/restore.py [--entries 10000] [--upload-bytes 20000] [--json]

Each entry has an upload, ten scores, ten judged pairs with their verdicts, and ranks. The backup is
restored by what `medvid admin check-backup` runs: into an embedded Postgres that syncs to disk.
docs/performance.md reads these figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from services.operate.backup_check import restored_and_checked  # noqa: E402 - after the path
from shared.runtime.logs import configure_logs  # noqa: E402
from shared.storage.backup import back_up, restore  # noqa: E402
from shared.storage.database import connect  # noqa: E402
from shared.storage.embedded import embedded_postgres  # noqa: E402
from shared.storage.migrate import load_migrations, migrate  # noqa: E402
from tests.released.rows import MIGRATIONS, fill  # noqa: E402
from tests.servers import PostgresServer  # noqa: E402


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="medvid-restore-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root: Postgres runs as another user
        yield folder


async def measure(version: str, entries: int, upload_bytes: int) -> dict[str, Any]:
    """Return seconds of each step, bytes, and what the check found."""
    found: dict[str, Any] = {"version": version, "entries": entries, "upload_bytes": upload_bytes}
    with _folder() as folder:
        file = folder / "medvid-1.tar"
        with PostgresServer() as server:
            async with connect(server.url(), size=2, application_name="benchmark") as database:
                await fill(database, version, entries=entries, upload_bytes=upload_bytes)
                found["database_bytes"] = await database.pool.fetchval(
                    "SELECT pg_database_size(current_database())"
                )
                began = time.perf_counter()
                await back_up(database, file)
                found["backup_seconds"] = time.perf_counter() - began
        found["backup_bytes"] = file.stat().st_size
        async with (
            embedded_postgres(folder / "postgres") as url,
            connect(url, size=2, application_name="benchmark") as database,
        ):
            began = time.perf_counter()
            await restore(database, file)
            found["restore_seconds"] = time.perf_counter() - began
            began = time.perf_counter()
            found["migrations"] = await migrate(database)
            found["migrate_seconds"] = time.perf_counter() - began
        began = time.perf_counter()
        findings = await restored_and_checked(file, folder / "scratch")
        found["check_seconds"] = time.perf_counter() - began
    found["wrong"] = [finding.says for finding in findings if finding.state == "failed"]
    return found


def main() -> int:
    """Measure; 1 where the check finds something wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--upload-bytes", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    configure_logs("warning", "auto", "benchmark")
    (version,) = sorted(MIGRATIONS)[-1:]
    found = asyncio.run(measure(version, options.entries, options.upload_bytes))
    found["of_migrations"] = len(load_migrations())
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:<20} {value:,.1f}" if isinstance(value, float) else f"{name:<20} {value}")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
