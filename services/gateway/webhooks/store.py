"""The gateway's SQL about webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from services.gateway.web.paging import Position
from services.gateway.webhooks.handlers import DeliveryState, DueDelivery, Outcome, StoredDelivery
from services.gateway.webhooks.rules import Event, Webhook
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class PostgresWebhooks:
    """Implements WebhookStore; `lease_seconds` is longer than any attempt takes."""

    database: Database
    lease_seconds: float

    async def take_due(self, limit: int) -> Sequence[DueDelivery]:
        """Take deliveries that are due; nobody else gets them while our lease lasts."""
        async with transient_errors():
            rows = await self.database.pool.fetch(
                _SQL["deliveries_take"], limit, self.lease_seconds
            )
        return [_due(row) for row in rows]

    async def delivered(self, delivery: DueDelivery, outcome: Outcome) -> None:
        """Note that a delivery was taken by the other side."""
        await self._settle("delivery_delivered", delivery, outcome.status)

    async def put_off(self, delivery: DueDelivery, outcome: Outcome, seconds: float) -> None:
        """Note that an attempt failed, and when the next is due."""
        await self._settle("delivery_put_off", delivery, outcome.status, outcome.error, seconds)

    async def give_up(self, delivery: DueDelivery, outcome: Outcome) -> None:
        """Note that a delivery is dead."""
        await self._settle("delivery_give_up", delivery, outcome.status, outcome.error)

    async def url(self, submission_id: UUID) -> str | None:
        """Return where a submission's events are told; None: nowhere."""
        async with transient_errors():
            url: str | None = await self.database.pool.fetchval(_SQL["webhook_url"], submission_id)
        return url

    async def page(
        self,
        submission_id: UUID | None,
        state: DeliveryState | None,
        before: Position | None,
        limit: int,
    ) -> Sequence[StoredDelivery]:
        """Return deliveries, newest first: a submission's, or everybody's."""
        async with transient_errors():
            rows = await self.database.pool.fetch(
                _SQL["deliveries_page"], submission_id, state, *(before or (None, None)), limit
            )
        return [StoredDelivery(**row) for row in rows]

    async def revive(self, submission_id: UUID) -> int:
        """Make a submission's dead deliveries due again; returns how many."""
        async with transient_errors():
            status = await self.database.pool.execute(_SQL["deliveries_revive"], submission_id)
        return int(status.removeprefix("UPDATE "))

    async def forget_old(self) -> None:
        """Remove deliveries that were settled long ago."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["deliveries_forget"])

    async def _settle(self, query: str, delivery: DueDelivery, *facts: object) -> None:
        async with transient_errors():
            await self.database.pool.execute(
                _SQL[query], delivery.event.id, delivery.attempt, *facts
            )


async def add_webhook(connection: Connection, submission_id: UUID, webhook: Webhook) -> None:
    """Store a submission's webhook in an open transaction."""
    await connection.execute(_SQL["webhook_add"], submission_id, webhook.url, webhook.secret)


def _due(row: asyncpg.Record) -> DueDelivery:
    event = Event(
        id=row["id"],
        submission_id=row["submission_id"],
        kind=row["kind"],
        data=orjson.loads(row["data"]),
        happened_at=row["happened_at"],
    )
    return DueDelivery(event, row["url"], row["secret"], row["attempts"])
