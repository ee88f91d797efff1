"""Builds the gateway's part in webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway.accounts.rules import AccessRules
from services.gateway.judging.handlers import Access
from services.gateway.settings import GatewaySettings
from services.gateway.submissions.ports import SubmissionStore
from services.gateway.webhooks.handlers import DeliverWebhooks, FollowWebhook
from services.gateway.webhooks.sender import HttpSender
from services.gateway.webhooks.store import PostgresWebhooks
from shared.storage.database import Database

# A lease outlives the attempt that holds it by this much.
_MARGIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class WebhookParts:
    """Who delivers, and what owners may see of it."""

    deliver: DeliverWebhooks
    follow: FollowWebhook
    sender: HttpSender
    store: PostgresWebhooks

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with self.sender:
            await self.deliver.forever()


def build_webhooks(
    database: Database, submissions: SubmissionStore, rules: AccessRules, settings: GatewaySettings
) -> WebhookParts:
    """Join the parts."""
    store = PostgresWebhooks(database, settings.webhook_seconds + _MARGIN_SECONDS)
    sender = HttpSender(
        private_networks=settings.webhook_private_networks, seconds=settings.webhook_seconds
    )
    deliver = DeliverWebhooks(
        store,
        sender,
        attempts=settings.webhook_attempts,
        first_seconds=settings.webhook_retry_seconds,
        poll_seconds=settings.webhook_poll_seconds,
    )
    return WebhookParts(deliver, FollowWebhook(Access(submissions, rules), store), sender, store)
