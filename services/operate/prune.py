"""Letting go of what is too old, on the command line."""

from __future__ import annotations

from services.operate.admin import run_on_database
from shared.runtime.retention import RULES, Pruner, RetentionSettings
from shared.runtime.settings import load_settings
from shared.storage.database import Database


def prune(*, dry_run: bool) -> int:
    """Prune, or tell what would go; returns the exit status."""

    async def work(database: Database) -> str:
        pruner = Pruner(database, load_settings(RetentionSettings))
        return await (_due(pruner) if dry_run else _prune(pruner))

    return run_on_database(work)


async def _due(pruner: Pruner) -> str:
    lines = []
    async for rule, days, rows in pruner.due():
        kept = f"older than {days:g} days" if days else "kept for ever"
        lines.append(f"{rows:>10,}  {rule.what} ({kept}; MEDVID_{rule.setting.upper()})")
    return "\n".join(["Would go:", *lines])


async def _prune(pruner: Pruner) -> str:
    gone = await pruner.prune()
    lines = [f"{gone[rule.name]:>10,}  {rule.what}" for rule in RULES if rule.name in gone]
    return "\n".join(["Gone:", *lines])
