"""Models of API keys and quotas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from medvid.benchmark.names import check_text
from services.gateway.accounts.admin_actions import REASON_LIMIT
from services.gateway.accounts.keys import MadeKey
from services.gateway.accounts.quota_rules import Usage, Use
from services.gateway.accounts.rules import ApiKey, KeyQuotas, Scope
from services.gateway.web.bodies import JsonBody
from services.gateway.web.models import Answer

_MOST: Final = 1_000_000
_MOST_BYTES: Final = 1 << 50


Line = Annotated[str, AfterValidator(check_text)]
"""One line of text without control, bidirectional or other invisible characters."""


class QuotaFields(JsonBody):
    """A key's own quotas; null: the one that all keys have."""

    submissions_per_day: Annotated[int, Field(ge=0, le=_MOST)] | None = None
    bytes_per_day: Annotated[int, Field(ge=0, le=_MOST_BYTES)] | None = None
    judge_runs_per_month: Annotated[int, Field(ge=0, le=_MOST)] | None = None

    def quotas(self) -> KeyQuotas:
        """Return them as they are stored."""
        return KeyQuotas(self.submissions_per_day, self.bytes_per_day, self.judge_runs_per_month)


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


class Key(Answer):
    """An API key. Its secret is not among what is stored."""

    id: UUID
    label: str
    owner: str
    scopes: list[Scope]
    quotas: QuotaFields
    created_at: datetime
    created_by: str = Field(description="'administrator', 'key:ID' or 'address:ADDRESS'")
    last_used_at: datetime | None = Field(description="to the minute")
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Build the response from a key."""
        return cls(**_facts(key))


class NewKey(Key):
    """A new key. `key` is its secret, which is shown here only."""

    key: str

    @classmethod
    def made(cls, made: MadeKey) -> Self:
        """Build the response to a new key."""
        return cls(**_facts(made.key), key=made.secret)


class KeyPage(Answer):
    """Keys, newest first; `next_cursor` is null on the last page."""

    keys: list[Key]
    next_cursor: str | None


def _facts(key: ApiKey) -> dict[str, object]:
    quotas = key.quotas
    return {
        "id": key.id,
        "label": key.label,
        "owner": key.owner,
        "scopes": sorted(key.scopes),
        "quotas": QuotaFields(
            submissions_per_day=quotas.submissions_per_day,
            bytes_per_day=quotas.bytes_per_day,
            judge_runs_per_month=quotas.judge_runs_per_month,
        ),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


class QuotaUse(Answer):
    """How much of one quota is used; null as limit: nothing is counted.

    Of an IPv6 address this is the use of its /64, /56 or /48, whichever leaves least.
    """

    limit: int | None
    used: int
    next_at: datetime | None = Field(description="when there is room again; null where there is")

    @classmethod
    def of(cls, use: Use | None, now: datetime) -> Self:
        """Build the response from a use; None where nothing is counted."""
        if use is None:
            return cls(limit=None, used=0, next_at=None)
        later = None if use.next_in is None else now + timedelta(seconds=use.next_in)
        return cls(limit=use.limit, used=use.used, next_at=later)


class QuotaStatus(Answer):
    """What the caller may still do: by its API key, or by its address."""

    account: str = Field(description="who pays: 'administrator', 'key:ID' or 'address:ADDRESS'")
    submissions: QuotaUse = Field(description="in the last 24 hours; a failure of ours counts not")
    bytes: QuotaUse = Field(description="of uploads in the last 24 hours")
    judge_runs: QuotaUse = Field(description="in the last 30 days; failed ones count not")
    validations: QuotaUse = Field(description="dry runs in the last 24 hours")

    @classmethod
    def of(cls, account: str, usage: Usage | None, now: datetime | None = None) -> Self:
        """Build the response from what an account has used."""
        moment = now or datetime.now(UTC)
        return cls(
            account=account,
            submissions=QuotaUse.of(usage.submissions if usage else None, moment),
            bytes=QuotaUse.of(usage.bytes if usage else None, moment),
            judge_runs=QuotaUse.of(usage.judge_runs if usage else None, moment),
            validations=QuotaUse.of(usage.validations if usage else None, moment),
        )
