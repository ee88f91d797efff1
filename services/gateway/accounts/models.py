"""Models of API keys and quotas."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from medvid.benchmark.names import check_text
from medvid.models.accounts import Key, NewKey, QuotaFields, QuotaStatus, QuotaUse, Scope
from medvid.models.base import JsonBody
from services.gateway.accounts.admin_actions import REASON_LIMIT
from services.gateway.accounts.keys import MadeKey
from services.gateway.accounts.quota_rules import AccountUsage, Use
from services.gateway.accounts.rules import ApiKey, KeyQuotas

Line = Annotated[str, AfterValidator(check_text)]
"""One line of text without control, bidirectional or other invisible characters."""


def key_quotas(fields: QuotaFields) -> KeyQuotas:
    """Return a key's own quotas as they are stored."""
    return KeyQuotas(fields.submissions_per_day, fields.bytes_per_day, fields.judge_runs_per_month)


_WHY: Final = Field(
    None, max_length=REASON_LIMIT, description="for the audit log; administrators say it"
)


class QuotaRequest(QuotaFields):
    """A key's own quotas, and why it gets them."""

    why: str | None = _WHY


class RevocationRequest(JsonBody):
    """Why a key is revoked. Administrators must say it."""

    why: str | None = _WHY


class KeyRequest(JsonBody):
    """A key to be made."""

    label: Annotated[Line, Field(max_length=100, description="what it is for", examples=["CI"])]
    owner: Annotated[
        Line, Field(max_length=200, description="who answers for it", examples=["lab@example.org"])
    ]
    scopes: Annotated[
        frozenset[Scope], Field(min_length=1, description="what it may be used for")
    ] = frozenset({"submit", "judge"})
    quotas: QuotaFields = Field(QuotaFields(), description="given by administrators only")
    why: str | None = _WHY


def shown_key(key: ApiKey) -> Key:
    """Build the response from a key."""
    return Key(**_facts(key))


def new_key(made: MadeKey) -> NewKey:
    """Build the response to a new key."""
    return NewKey(**_facts(made.key), key=made.secret)


def _facts(key: ApiKey) -> dict[str, Any]:
    return asdict(key) | {"scopes": sorted(key.scopes)}


def _quota_use(use: Use | None, now: datetime) -> QuotaUse:
    """Build the response from a use; None where nothing is counted."""
    if use is None:
        return QuotaUse(limit=None, used=0, next_at=None)
    later = None if use.next_in is None else now + timedelta(seconds=use.next_in)
    return QuotaUse(limit=use.limit, used=use.used, next_at=later)


def quota_status(
    account: str, usage: AccountUsage | None, now: datetime | None = None
) -> QuotaStatus:
    """Build the response from what an account has used."""
    moment = now or datetime.now(UTC)
    return QuotaStatus(
        account=account,
        submissions=_quota_use(usage.submissions if usage else None, moment),
        bytes=_quota_use(usage.bytes if usage else None, moment),
        judge_runs=_quota_use(usage.judge_runs if usage else None, moment),
        validations=_quota_use(usage.validations if usage else None, moment),
        evaluate_only=_quota_use(usage.evaluations if usage else None, moment),
        evaluate_only_total=_quota_use(usage.evaluations_total if usage else None, moment),
    )
