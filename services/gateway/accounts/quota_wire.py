"""What the API answers about quotas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import Field

from services.gateway.accounts.quota_rules import Usage, Use
from services.gateway.web.models import Answer


class QuotaUse(Answer):
    """How much of one quota is used; null as limit: nothing is counted.

    Of an IPv6 address this is the use of its /64, /56 or /48, whichever leaves least.
    """

    limit: int | None
    used: int
    next_at: datetime | None = Field(description="when there is room again; null where there is")

    @classmethod
    def of(cls, use: Use | None, now: datetime) -> Self:
        """Return it as it is told; without a use nothing is counted."""
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
        """Return it as it is told."""
        moment = now or datetime.now(UTC)
        return cls(
            account=account,
            submissions=QuotaUse.of(usage.submissions if usage else None, moment),
            bytes=QuotaUse.of(usage.bytes if usage else None, moment),
            judge_runs=QuotaUse.of(usage.judge_runs if usage else None, moment),
            validations=QuotaUse.of(usage.validations if usage else None, moment),
        )
