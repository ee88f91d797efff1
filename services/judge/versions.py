"""Judge versions in Postgres: single judges, and panels by their members."""

from __future__ import annotations

from typing import Final

import orjson

from medvid.judging.panels import Panel
from medvid.judging.versions import JudgeVersion
from shared.storage.database import Connection, Transaction
from shared.storage.queries import load_queries

STUB: Final = "stub"
_SQL: Final = load_queries(__package__)


async def add_version(transaction: Transaction, version: JudgeVersion) -> None:
    """Make a judge version known."""
    facts = orjson.dumps(version.public()).decode()
    is_stub = version.provider == STUB
    await transaction.connection.execute(_SQL["version_add"], version.hash, facts, is_stub)


async def add_panel(transaction: Transaction, panel: Panel) -> None:
    """Make a panel known, whose members are; a single judge is already."""
    if panel.is_single:
        return
    members = [each.judge_version for each in panel.members]
    facts = orjson.dumps(panel.public()).decode()
    await transaction.connection.execute(_SQL["panel_add"], panel.version, facts, members)


async def panel_of(connection: Connection, version: str) -> Panel:
    """Return the judges whose verdicts make the values of a judge version that is known."""
    facts = await connection.fetchval(_SQL["version_facts"], version)
    return Panel.read(version, orjson.loads(facts))
