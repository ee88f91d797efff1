"""A submission's webhook and its deliveries, as owners and administrators see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from medvid.models.webhooks import DeliveryState, WebhookDelivery
from services.gateway.accounts.rules import Caller
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.web.paging import Position
from shared.runtime.errors import NotFound
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Reads deliveries and has dead ones tried again. Every method raises Transient."""

    database: Database
    access: SubmissionAccess

    async def url(self, submission_id: UUID, caller: Caller) -> str:
        """Return the address of a submission's webhook; raises NotFound, NotAllowed."""
        await self.access.check(submission_id, caller)
        async with transient_errors():
            url: str | None = await self.database.pool.fetchval(_SQL["webhook_url"], submission_id)
        if url is None:
            raise NotFound(
                "the submission has no webhook.",
                fix="Give 'webhook_url' when you submit.",
                code="webhook_not_found",
            )
        return url

    async def deliveries(
        self,
        submission_id: UUID | None,
        state: DeliveryState | None,
        before: Position | None,
        limit: int,
    ) -> list[WebhookDelivery]:
        """Return deliveries of a submission, or of all of them, newest first."""
        async with transient_errors():
            rows = await self.database.pool.fetch(
                _SQL["deliveries_page"], submission_id, state, *(before or (None, None)), limit
            )
        return [
            WebhookDelivery(
                **row, next_attempt_at=row["due_at"] if row["state"] == "waiting" else None
            )
            for row in rows
        ]

    async def redeliver(self, submission_id: UUID, caller: Caller) -> int:
        """Make a submission's dead deliveries due again; returns how many there were."""
        await self.url(submission_id, caller)
        async with transient_errors():
            status = await self.database.pool.execute(_SQL["deliveries_revive"], submission_id)
        revived = int(status.removeprefix("UPDATE "))
        _log.info("webhooks_revived", submission_id=str(submission_id), count=revived)
        return revived
