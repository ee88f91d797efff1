"""API keys and quotas."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from medvid.models.base import Answer, JsonBody, Open, Page

Scope = Literal["submit", "judge", "admin"]
"""What a key may be used for."""
_MOST: Final = 1_000_000
_MOST_BYTES: Final = 1 << 50


class QuotaFields(JsonBody):
    """A key's own quotas; null: the one that all keys have."""

    submissions_per_day: Annotated[int, Field(ge=0, le=_MOST)] | None = Field(
        None, description="in 24 hours"
    )
    bytes_per_day: Annotated[int, Field(ge=0, le=_MOST_BYTES)] | None = Field(
        None, description="of uploads in 24 hours"
    )
    judge_runs_per_month: Annotated[int, Field(ge=0, le=_MOST)] | None = Field(
        None, description="in 30 days"
    )


class Key(Answer):
    """An API key. Its secret is not among what is stored."""

    id: UUID
    label: str
    owner: str
    scopes: list[Open[Scope]]
    quotas: QuotaFields
    created_at: datetime
    created_by: str = Field(
        description="'administrator', 'key:ID' or 'address:ADDRESS'; 'sign_in:PROVIDER' of an "
        "account that somebody signs in to"
    )
    last_used_at: datetime | None = Field(description="to the minute")
    revoked_at: datetime | None


class NewKey(Key):
    """A new key. `key` is its secret, which is shown here only."""

    key: str


class KeyPage(Page):
    """Keys, newest first; `next_cursor` is null on the last page."""

    keys: list[Key]
    next_cursor: str | None


class QuotaUse(Answer):
    """How much of one quota is used; null as limit: nothing is counted.

    Of an IPv6 address this is the use of its /64, /56 or /48, whichever leaves least.
    """

    limit: int | None
    used: int
    next_at: datetime | None = Field(description="when there is room again; null where there is")


class QuotaStatus(Answer):
    """What the caller may still do: by its API key, or by its address."""

    account: str = Field(description="who pays: 'administrator', 'key:ID' or 'address:ADDRESS'")
    submissions: QuotaUse = Field(
        description="in the last 24 hours; a failure of the server does not count"
    )
    bytes: QuotaUse = Field(description="of uploads in the last 24 hours")
    judge_runs: QuotaUse = Field(description="in the last 30 days; failed ones count not")
    validations: QuotaUse = Field(
        # Servers of version 0.1 count none.
        default_factory=lambda: QuotaUse(limit=None, used=0, next_at=None),
        description="dry runs in the last 24 hours",
    )
    evaluate_only: QuotaUse = Field(
        # Servers of version 0.2 count none.
        default_factory=lambda: QuotaUse(limit=None, used=0, next_at=None),
        description="evaluate-only submissions in the last 24 hours",
    )
    evaluate_only_total: QuotaUse = Field(
        default_factory=lambda: QuotaUse(limit=None, used=0, next_at=None),
        description="the same ever; of an address in the last year",
    )
