"""`medvid admin check-backup`: restore a backup into a database of its own, and look at it.

A backup that nobody has restored is a hope. The database is an embedded one in a folder that goes
afterwards, so that the check needs no rights on the real server, and cannot touch it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import orjson
import typer

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import Json
from services.operate.chains import chains
from services.operate.database import run_in_order
from services.operate.findings import CheckOutcome, Finding, print_report
from services.ranker.board import ranked_board
from services.ranker.store import BoardStore
from shared.runtime.errors import InvalidInput, MedvidError
from shared.runtime.logs import configure_logs
from shared.runtime.settings import CommonSettings, load_settings
from shared.storage.backup import Manifest, restore
from shared.storage.database import Database, connect
from shared.storage.embedded import embedded_postgres
from shared.storage.migrate import migrate
from shared.storage.queries import load_queries
from shared.storage.scratch import POSTGRES, scratch_folder

_SQL: Final = load_queries(__package__, "backup_check.sql")
_SUSPECT: Final = (
    "Restore an older backup the same way to find the last good one, and keep it; 'medvid admin "
    "doctor' examines the real database."
)


def check_backup(
    backup: Annotated[
        Path, typer.Argument(exists=True, help="a backup, or a folder, whose newest one is taken")
    ],
    as_json: Json = False,
) -> int:
    """Restore a backup into a database of its own, look whether it is whole, and drop it.

    Checksums of the file, rows and boards of its manifest, migrations up to this version's, chains
    of links, and each board ranked anew from the restored values against its newest snapshot. The
    database is made in MEDVID_DATA_DIR, which needs room for all of it; nothing else is touched.
    """
    configure_logs("warning", "auto", "admin")
    scratch = load_settings(CommonSettings).data_dir
    try:
        file = newest(backup)
        findings = run_in_order(restored_and_checked(file, scratch))
    except MedvidError as error:
        raise CommandFailed(f"{error}") from None
    return print_report(findings, as_json=as_json)


def newest(backup: Path) -> Path:
    """Return the file, or the newest backup in a folder; raises InvalidInput where it has none."""
    if not backup.is_dir():
        return backup
    files = sorted(backup.glob("medvid-*.tar"), key=lambda file: (file.stat().st_mtime, file.name))
    if not files:
        raise InvalidInput(
            f"there is no backup in {backup}.", fix="Make one with 'medvid admin backup FOLDER'."
        )
    return files[-1]


async def restored_and_checked(file: Path, scratch: Path) -> Sequence[Finding]:
    """Restore a backup below `scratch` and examine what is there; raises MedvidError."""
    await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
    async with scratch_folder(scratch, ".medvid-check-") as folder:
        await asyncio.to_thread(folder.chmod, 0o711)  # root's: Postgres runs as another user
        began = time.monotonic()
        async with (
            embedded_postgres(folder / POSTGRES) as url,
            connect(url, size=2, application_name="medvid-check") as database,
        ):
            await database.pool.execute(_SQL["settings"])
            manifest = await restore(database, file, scratch=folder)
            seconds = time.monotonic() - began
            applied = await migrate(database)
            return [
                Finding("file", "ok", f"{file.name} is what its manifest says."),
                Finding("restored", "ok", _described(manifest, seconds)),
                Finding("migrations", "ok", f"{applied} newer ones applied."),
                Finding("chains", *await chains(database, None)),
                *[
                    Finding(f"board {board}", *await _ranked(database, board, is_older=applied > 0))
                    for board in BOARDS
                ],
            ]


def _described(manifest: Manifest, seconds: float) -> str:
    return (
        f"of {manifest.created_at}, {sum(manifest.rows.values()):,} rows of {len(manifest.rows)} "
        f"tables, {manifest.rows.get('entries', 0):,} entries, in {seconds:.0f} s."
    )


async def _ranked(database: Database, board: Board, *, is_older: bool) -> CheckOutcome:
    """Rank a board from the restored values, and compare with the newest snapshots.

    Where an older version ranked, this one's rules may be others.
    """
    async with database.transaction() as transaction:
        await transaction.connection.execute(_SQL["take_time"])
        store = BoardStore(transaction, board)
        revisions = await store.lock()
        if revisions.current != revisions.ranked:
            return CheckOutcome("skipped", "it had changed, and was not ranked again yet.")
        state = await store.read()
        for scoring in SCORINGS:
            ranked = await asyncio.to_thread(
                ranked_board, state.entries, scoring, state.ranking, state.rule
            )
            content = await transaction.connection.fetchval(
                _SQL["newest_content"], board, scoring, timeout=600
            )
            rows = orjson.loads(content or b"[]")
            if {UUID(row["entry_id"]): row["rank"] for row in rows} != dict(ranked.ranks):
                says = f"its values give other ranks than its newest snapshot shows ({scoring})."
                return CheckOutcome("warning" if is_older else "failed", says, _SUSPECT)
    return CheckOutcome(
        "ok", f"ranked anew, {len(state.entries):,} entries stand as the newest snapshot shows."
    )
