"""The endpoints of the judge's pool: drained and restored, with lines in the audit log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import structlog

from medvid.judging.pricing import MICROUSD
from medvid.models.administration import EndpointState, PoolEndpointView
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from shared.runtime.errors import NotFound
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "pool.sql")
_NAME: Final = re.compile("[a-z0-9][a-z0-9-]{0,31}")
_log = structlog.get_logger(__name__)


def read_endpoint_name(text: str) -> str:
    """Return an endpoint's name; raises NotFound where the text can be none."""
    if not _NAME.fullmatch(text):
        raise _not_found()
    return text


def _not_found() -> NotFound:
    return NotFound(
        "no pool has an endpoint of this name.",
        fix="'medvid admin pool list' lists them.",
        code="endpoint_not_found",
    )


class JudgePool:
    """Drains endpoints and brings them back; every replica follows within seconds.

    Each method raises Transient.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def endpoints(self) -> Sequence[PoolEndpointView]:
        """Return every endpoint that a replica has, and those that are drained."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["endpoints"])
        return [
            PoolEndpointView(
                **{name: value for name, value in row.items() if name != "spent_microusd"},
                spent_usd=row["spent_microusd"] / MICROUSD,
            )
            for row in rows
        ]

    async def drain(self, name: str, action: AdminAction) -> bool:
        """Give an endpoint no call any more; False where it is drained. Raises NotFound."""
        return await self._set(name, "drained", "drain_endpoint", action)

    async def restore(self, name: str, action: AdminAction) -> bool:
        """Use an endpoint again; False where it is in use. Raises NotFound."""
        return await self._set(name, "serving", "restore_endpoint", action)

    async def _set(
        self, name: str, state: EndpointState, action_name: str, action: AdminAction
    ) -> bool:
        why = action.why if state == "drained" else None
        async with transient_errors(), self._database.transaction() as transaction:
            before = await transaction.connection.fetchrow(_SQL["endpoint_lock"], name)
            if before is None:
                raise _not_found()
            if before["state"] == state:
                return False
            await transaction.connection.execute(_SQL["endpoint_set"], name, state, why)
            await record(
                transaction, action, action_name, Subject("endpoint", name),
                before=dict(before), after={"state": state, "why": why},
            )  # fmt: skip
        _log.info("judge_endpoint_set", endpoint=name, state=state, who=action.who)
        return True
