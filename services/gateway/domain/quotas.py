"""How much an account may do, and how it is told that it did that much. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from services.gateway.domain.access import Caller
from shared.runtime.errors import MedvidError

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do: submissions and bytes in 24 hours, judge runs in 30 days."""

    submissions_per_day: int
    bytes_per_day: int
    judge_runs_per_month: int


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """What the operator allows keys and addresses."""

    keys: Limits
    addresses: Limits

    def limits(self, caller: Caller) -> Limits:
        """Return a caller's limits: its key's own where an administrator gave it some."""
        if caller.key is None:
            return self.addresses
        own, usual = caller.key.quotas, self.keys
        return Limits(
            _first(own.submissions_per_day, usual.submissions_per_day),
            _first(own.bytes_per_day, usual.bytes_per_day),
            _first(own.judge_runs_per_month, usual.judge_runs_per_month),
        )

    def account(self, caller: Caller) -> Account:
        """Return the account that pays for what a caller does."""
        return Account(caller.account, self.limits(caller))


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays, and how much of everything there is."""

    name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a quota is used. `next_in`: seconds until there is room; None where there is."""

    limit: int
    used: int
    next_in: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of everything an account has used."""

    submissions: Use
    bytes: Use
    judge_runs: Use


class QuotaExhausted(MedvidError):
    """The caller used up a quota; `retry_after` says in how many seconds there is room again."""

    code = "quota_exhausted"

    def __init__(self, detail: str, *, fix: str, code: str, retry_after: float) -> None:
        super().__init__(detail, fix=fix, code=code)
        self.retry_after = max(1, math.ceil(retry_after))


def check_submissions(use: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for one more submission."""
    if use.used < use.limit:
        return
    if use.limit == 0:
        raise _never("no submissions")
    next_in = use.next_in or 0.0
    raise QuotaExhausted(
        f"{use.used} of {_count(use.limit, 'submission')} in 24 hours are used; the next can be "
        f"sent at {shown_time(next_in, now)}.",
        fix="Check the file with POST /api/v1/validate meanwhile, which uses up none.",
        code="submission_quota",
        retry_after=next_in,
    )


def check_bytes(use: Use, more: int, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for an upload of `more` bytes."""
    if use.used + more <= use.limit:
        return
    if more > use.limit:
        raise _never(f"no uploads of {more:,} bytes, but {use.limit:,} in 24 hours")
    next_in = use.next_in or 0.0
    raise QuotaExhausted(
        f"{use.used:,} of {use.limit:,} bytes in 24 hours are used; there is room for "
        f"{more:,} more at {shown_time(next_in, now)}.",
        fix="Send files gzip-compressed; check them with 'medvid validate' on your machine.",
        code="byte_quota",
        retry_after=next_in,
    )


def check_judge_runs(use: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for one more judge run."""
    if use.used < use.limit:
        return
    if use.limit == 0:
        raise _never("no judge runs")
    next_in = use.next_in or 0.0
    raise QuotaExhausted(
        f"{use.used} of {_count(use.limit, 'judge run')} in 30 days are used; the next can be "
        f"asked for at {shown_time(next_in, now)}.",
        fix="Come back then, or ask the maintainers for a larger quota.",
        code="judging_quota",
        retry_after=next_in,
    )


def too_many_keys(most: int, next_in: float, now: datetime | None = None) -> QuotaExhausted:
    """Return the refusal of one more key; `next_in` in seconds."""
    return QuotaExhausted(
        f"{most} key{'s were' if most != 1 else ' was'} made from your address in the last "
        f"24 hours; the next can be made at {shown_time(next_in, now)}.",
        fix="Use a key that you have, or come back then.",
        code="registration_quota",
        retry_after=next_in,
    )


def shown_time(seconds_ahead: float, now: datetime | None = None) -> str:
    """Return a moment as people read it, to the second above."""
    moment = (now or datetime.now(UTC)) + timedelta(seconds=max(0.0, seconds_ahead))
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + _SECOND
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _never(what: str) -> QuotaExhausted:
    """Return the refusal of what no waiting helps with; programs still get a time to look again."""
    return QuotaExhausted(
        f"your quota allows {what}.",
        fix="Use an API key, or ask the maintainers for a larger quota.",
        code="quota_exhausted",
        retry_after=_DAY,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _first(own: int | None, usual: int) -> int:
    return usual if own is None else own
