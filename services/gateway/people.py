"""Joins what knows who asks, by key, token or sign-in, and what they may still do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from services.gateway.accounts.callers import Callers, IdentifyCaller
from services.gateway.accounts.guesses import Guesses, SharedGuesses
from services.gateway.accounts.keys import ManageKeys
from services.gateway.accounts.keys_store import KeyStore
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import ADMIN_KEY_CHARACTERS, MAKES_ADMIN_KEY, AccessRules
from services.gateway.limits import quota_rules
from services.gateway.settings import GatewaySettings
from services.gateway.sign_in.configuration import read_providers
from services.gateway.sign_in.devices import Devices
from services.gateway.sign_in.service import SignIn
from services.gateway.sign_in.store import IdentityStore
from services.gateway.web.addresses import parse_networks
from shared.storage.database import Database

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who asks, what they may do, and the services of keys and quotas."""

    callers: Callers
    rules: AccessRules
    keys: ManageKeys
    quotas: Quotas
    sign_in: SignIn
    devices: Devices
    prune: Callable[[], Awaitable[None]]


def build_accounts(database: Database, settings: GatewaySettings) -> Accounts:
    """Join the parts; raises Misconfigured for a file of providers with a mistake."""
    providers = read_providers(settings.sign_in, settings.public_url)
    admin_key = settings.usable_admin_key
    if settings.admin_key_is_short and not providers.administer:
        _log.error(
            "administration_disabled",
            reason=f"MEDVID_ADMIN_KEY has fewer than {ADMIN_KEY_CHARACTERS} characters",
            fix=f"set it to what '{MAKES_ADMIN_KEY}' prints, and restart",
        )
    rules = AccessRules(
        administration=bool(admin_key) or providers.administer,
        registration=settings.registration,
        anonymous_submissions=settings.anonymous_submissions,
        sign_in=bool(providers),
    )
    store = KeyStore(database)
    wrong = SharedGuesses(database)
    guesses = Guesses(settings.admin_guesses, shared=wrong)
    identify = IdentifyCaller(store, admin_key, guesses)
    trusted = parse_networks(settings.trusted_proxies)
    quotas = Quotas(database, quota_rules(settings), rules)
    sign_in = SignIn(
        IdentityStore(database),
        providers,
        guesses,
        seconds=settings.sign_in_seconds,
        admin_seconds=settings.admin_session_seconds,
    )
    devices = Devices(database, sign_in, guesses)

    async def prune() -> None:
        for each in (quotas, wrong, sign_in.store, devices):
            await each.prune()

    return Accounts(
        sign_in=sign_in,
        devices=devices,
        callers=Callers(identify, rules, trusted),
        rules=rules,
        keys=ManageKeys(store, rules, settings.registrations_per_day),
        quotas=quotas,
        prune=prune,
    )
