"""`medvid admin prune`: delete what is older than the settings keep it."""

from __future__ import annotations

from typing import Annotated

import typer

from services.operate.database import run_on_database
from shared.runtime.retention import RULES, Pruner, RetentionSettings
from shared.runtime.settings import load_settings
from shared.storage.database import Database


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only say how many rows would go")
    ] = False,
) -> int:
    """Delete what is older than the MEDVID_KEEP_..._DAYS settings say, in small batches.

    The ranker does the same by itself, every MEDVID_PRUNE_SECONDS.
    """

    async def work(database: Database) -> str:
        pruner = Pruner(database, load_settings(RetentionSettings))
        return await (_due(pruner) if dry_run else _prune(pruner))

    return run_on_database(work)


async def _due(pruner: Pruner) -> str:
    lines = []
    async for rule, days, rows in pruner.due():
        kept = f"older than {days:g} days" if days else "kept for ever" if rule.goes else "never"
        lines.append(f"{rows:>10,}  {rule.what} ({kept}; MEDVID_{rule.setting.upper()})")
    return "\n".join(["Would go:", *lines])


async def _prune(pruner: Pruner) -> str:
    gone = await pruner.prune()
    lines = [f"{gone[rule.name]:>10,}  {rule.what}" for rule in RULES if rule.name in gone]
    return "\n".join(["Gone:", *lines])
