"""Builds what tells callers apart and decides what they may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from services.gateway.accounts.callers import Callers
from services.gateway.accounts.guesses import Guesses
from services.gateway.accounts.guesses_store import PostgresGuesses
from services.gateway.accounts.keys import IdentifyCaller, ManageKeys
from services.gateway.accounts.keys_store import PostgresKeys
from services.gateway.accounts.quota_rules import Limits, QuotaRules
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.quotas_store import PostgresQuotas
from services.gateway.accounts.rules import (
    ADMIN_KEY_CHARACTERS,
    MAKES_ADMIN_KEY,
    AccessRules,
)
from services.gateway.settings import GatewaySettings
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.lifecycle import ListSubmissions, Withdraw
from services.gateway.submissions.lifecycle_store import PostgresLifecycle
from services.gateway.submissions.ports import SubmissionStore
from services.gateway.web.addresses import parse_networks
from shared.storage.database import Database

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccessParts:
    """Who asks, what they may do, and the use cases about keys."""

    callers: Callers
    rules: AccessRules
    keys: ManageKeys
    quotas: Quotas
    forget_old_uses: Callable[[], Awaitable[None]]


def build_access(database: Database, settings: GatewaySettings) -> AccessParts:
    """Join the parts."""
    admin_key = settings.usable_admin_key
    if settings.admin_key_is_short:
        _log.error(
            "administration_is_off",
            reason=f"MEDVID_ADMIN_KEY has fewer than {ADMIN_KEY_CHARACTERS} characters",
            fix=f"set it to what '{MAKES_ADMIN_KEY}' prints, and restart",
        )
    rules = AccessRules(
        administration=bool(admin_key),
        registration=settings.registration,
        anonymous_submissions=settings.anonymous_submissions,
    )
    store = PostgresKeys(database)
    wrong = PostgresGuesses(database)
    guesses = Guesses(settings.admin_guesses, shared=wrong)
    identify = IdentifyCaller(store, admin_key, guesses)
    trusted = parse_networks(settings.trusted_proxies)
    uses = PostgresQuotas(database)

    async def forget_old_uses() -> None:
        await uses.forget_old()
        await wrong.forget_old()

    return AccessParts(
        callers=Callers(identify, rules, trusted),
        rules=rules,
        keys=ManageKeys(store, rules, settings.registrations_per_day),
        quotas=Quotas(uses, _quota_rules(settings), rules),
        forget_old_uses=forget_old_uses,
    )


def build_lifecycle(
    database: Database, submissions: SubmissionStore, rules: AccessRules
) -> tuple[ListSubmissions, Withdraw]:
    """Return the use cases about what becomes of submissions."""
    store = PostgresLifecycle(database)
    access = SubmissionAccess(submissions, rules)
    return ListSubmissions(access, store), Withdraw(access, store)


def _quota_rules(settings: GatewaySettings) -> QuotaRules:
    return QuotaRules(
        keys=Limits(
            settings.key_submissions_per_day,
            settings.key_bytes_per_day,
            settings.key_judge_runs_per_month,
            settings.key_validations_per_day,
        ),
        addresses=Limits(
            settings.address_submissions_per_day,
            settings.address_bytes_per_day,
            settings.address_judge_runs_per_month,
            settings.address_validations_per_day,
        ),
    )
