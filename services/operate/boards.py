"""`medvid admin import-board`: entries with given scores into the database."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import orjson
import typer

from medvid.benchmark.tasks import BOARDS
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.imports import BoardFiles
from services.gateway.web.errors import RefusedBody
from services.operate.database import run_on_database
from shared.runtime.errors import InvalidInput
from shared.storage.database import Database


def import_board(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="{board: [rows]} as JSON"),
    ] = None,
) -> int:
    """Add entries with given scores; without a file, the published leaderboards.

    Names that a board already has are left as they are.
    """
    content = file.read_bytes() if file else published_boards()
    return run_on_database(lambda database: store_boards(database, content))


def published_boards() -> bytes:
    """Return the published leaderboards as `{board: [row, ...]}`, JSON."""
    return (files("medvid.benchmark") / "data/published_leaderboards.json").read_bytes()


async def store_boards(database: Database, content: bytes) -> str:
    """Import entries with given scores; return what was done."""
    action = AdminAction.of("operator", "imported on the command line", f"cli-{uuid4()}")
    try:
        changes = await BoardFiles(database).apply(
            orjson.loads(content), action, existing="keep", dry_run=False
        )
    except RefusedBody as error:
        lines = [f"{p.path}: found {p.found}, expected {p.expected}" for p in error.problems]
        raise InvalidInput("\n".join(["the board cannot be imported:", *lines])) from error
    kinds = {board: Counter(c.kind for c in changes if c.board == board) for board in BOARDS}
    return "\n".join(
        f"{board}: {count['added']} entries added, {count.total() - count['added']} were there "
        "before."
        for board, count in kinds.items()
        if count
    )
