"""Marks entries that a judge of their own family judged, also once a base model is stated later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.judging.badges import OWN_FAMILY
from medvid.judging.families import own_family
from medvid.judging.panels import Panel
from services.judge.versions import panel_of
from shared.contracts.messages import BoardChanged
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "own_families.sql")
_JUDGE_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


def family_facts(
    entry: asyncpg.Record, panel: Panel, families: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a result says of its judges' families; `families` as `own_family` takes them.

    `entry`: its `model_name` and `base_model`.
    """
    base = entry["base_model"]
    own = own_family((entry["model_name"], base or ""), panel, families)
    return ({"own_family": own} if own else {}) | ({"base_model": base} if base else {})


@dataclass(frozen=True, slots=True)
class OwnFamilies:
    """Compares judges with base models that were stated, changed or erased after judging."""

    database: Database
    families: Mapping[str, str]

    async def look(self) -> None:
        """Compare the judges of each result whose entry has another base model now."""
        for row in await self.database.pool.fetch(_SQL["results_of_other_bases"]):
            await self._compare(row["run_id"], row["submission_id"])

    async def _compare(self, run_id: UUID, submission_id: UUID) -> None:
        async with self.database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_JUDGE_SQL["entries_lock"], submission_id)
            found = await connection.fetchrow(_SQL["result_compared"], run_id)
            if found is None:
                return
            panel = await panel_of(connection, found["judge_version"])
            facts = family_facts(found, panel, self.families)
            await connection.execute(_SQL["result_compare"], run_id, orjson.dumps(facts).decode())
            badges = [OWN_FAMILY] if "own_family" in facts else []
            if not found["in_force"] or (OWN_FAMILY in found["badges"]) == bool(badges):
                return
            entry_id, board = found["entry_id"], found["board"]
            await connection.execute(_JUDGE_SQL["badges_set"], entry_id, [OWN_FAMILY], badges)
            if found["listed"]:
                await connection.execute(_JUDGE_SQL["board_changed"], board)
                await transaction.emit(BoardChanged(board=board))
        _log.info("own_family_compared", run_id=str(run_id), own_family=bool(badges))
