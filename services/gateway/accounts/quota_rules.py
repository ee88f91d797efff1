"""How much an account may do, and the errors when it did that much. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from services.gateway.accounts.rules import Caller
from services.gateway.web.addresses import sharing
from services.gateway.web.errors import QuotaExhausted
from services.gateway.web.site import the_maintainers

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """What one account may do: judge runs in 30 days, the others in 24 hours, or ever (total)."""

    submissions_per_day: int
    bytes_per_day: int
    judge_runs_per_month: int
    validations_per_day: int
    evaluations_per_day: int = 5
    evaluations_total: int = 100


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """What the operator allows keys and addresses."""

    keys: QuotaLimits
    addresses: QuotaLimits

    def limits(self, caller: Caller) -> QuotaLimits:
        """Return a caller's limits: its key's own where an administrator gave it some."""
        if caller.key is None:
            return self.addresses
        own, usual = caller.key.quotas, self.keys
        return QuotaLimits(
            _first(own.submissions_per_day, usual.submissions_per_day),
            _first(own.bytes_per_day, usual.bytes_per_day),
            _first(own.judge_runs_per_month, usual.judge_runs_per_month),
            usual.validations_per_day,
            usual.evaluations_per_day,
            usual.evaluations_total,
        )

    def account(self, caller: Caller) -> Account:
        """Return the account that pays for what a caller does."""
        limits = self.limits(caller)
        if caller.key is not None:
            return Account(caller.account, limits)
        shares = zip(
            sharing(caller.address, limits.submissions_per_day),
            sharing(caller.address, limits.bytes_per_day),
            sharing(caller.address, limits.judge_runs_per_month),
            sharing(caller.address, limits.validations_per_day),
            sharing(caller.address, limits.evaluations_per_day),
            sharing(caller.address, limits.evaluations_total),
            strict=True,
        )
        _, *wider = [
            Account(f"address:{each[0][0]}", QuotaLimits(*(limit for _, limit in each)))
            for each in shares
        ]
        return Account(caller.account, limits, tuple(wider))


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays, and how much of everything there is.

    `wider` are the networks around an address, narrowest first: they pay too, and may do more.
    """

    name: str
    limits: QuotaLimits
    wider: tuple[Account, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a quota is used. `next_in`: seconds until there is room; None where there is.

    `network` is the one that is counted, where it is not the account alone.
    """

    limit: int
    used: int
    next_in: float | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True)
class TrackQuota:
    """How much an account may send to a track, which people call `name`; None: no limit."""

    track: str
    name: str
    limit_per_day: int | None
    limit_total: int | None


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """How much of everything an account has used."""

    submissions: Use
    bytes: Use
    judge_runs: Use
    validations: Use
    evaluations: Use
    evaluations_total: Use


def tightest(uses: Sequence[Use], more: int = 1) -> Use:
    """Return the use that decides: without room for `more` the longest, else with the least."""
    return max(
        uses,
        key=lambda use: (use.used + more > use.limit, use.next_in or 0.0, use.used - use.limit),
    )


def check_submissions(use: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for one more submission."""
    fix = "Check the file with POST /api/v1/validate, which uses up none."
    _check_count(use, now, "submission", "24 hours", "sent", fix, "submission_quota")


def check_bytes(use: Use, more: int, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for an upload of `more` bytes."""
    if use.used + more <= use.limit:
        return
    if more > use.limit:
        raise _never(f"no uploads of {more:,} bytes, but {use.limit:,} in 24 hours")
    next_in = use.next_in or 0.0
    raise QuotaExhausted(
        f"{use.used:,} of {use.limit:,} bytes in 24 hours are used{_by(use)}; there is room for "
        f"{more:,} more at {shown_time(next_in, now)}.",
        fix="Send files gzip-compressed; check them with 'medvid validate' on your machine.",
        code="byte_quota",
        retry_after=next_in,
    )


def check_judge_runs(use: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for one more judge run."""
    fix = f"Come back then, or ask {the_maintainers()} for a larger quota."
    _check_count(use, now, "judge run", "30 days", "asked for", fix, "judging_quota")


def check_validations(use: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for one more dry run."""
    fix = "Check files with 'medvid validate' on your machine, which needs no server."
    _check_count(use, now, "dry run", "24 hours", "made", fix, "validation_quota")


def check_evaluations(today: Use, total: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted unless there is room for one more submission that is only evaluated."""
    if total.used >= total.limit > 0:
        again = ""
        if total.next_in is not None:  # of an address: a key has no more, ever
            again = f"; the next can be sent at {shown_time(total.next_in, now)}"
        raise QuotaExhausted(
            f"{total.used} of {_count(total.limit, 'evaluate-only run')} are used"
            f"{_by(total)}{again}.",
            fix=f"Send a ranked submission, or ask {the_maintainers()}.",
            code="evaluation_quota",
            retry_after=total.next_in or _DAY,
        )
    if not total.limit:
        raise _never("no evaluate-only runs")
    fix = "Come back then; each answer tells a little of the test set, so there are few."
    _check_count(today, now, "evaluate-only run", "24 hours", "sent", fix, "evaluation_quota")


def check_track(
    quota: TrackQuota, total: int, today: int, next_in: float | None, now: datetime | None = None
) -> None:
    """Raise QuotaExhausted unless there is room for one more submission to a track."""
    if quota.limit_total is not None and total >= quota.limit_total:
        raise QuotaExhausted(
            f"{total} of {_count(quota.limit_total, 'submission')} to the track {quota.name} are "
            "used.",
            fix="Ask the organizers; without 'track' the model is ranked on the community board.",
            code="track_quota",
            retry_after=_DAY,
        )
    if quota.limit_per_day is not None:
        use = Use(quota.limit_per_day, today, next_in)
        period = f"24 hours to the track {quota.name}"
        fix = "Check the file with POST /api/v1/validate, which uses up none."
        _check_count(use, now, "submission", period, "sent", fix, "track_quota")


def _check_count(
    use: Use, now: datetime | None, noun: str, period: str, done: str, fix: str, code: str
) -> None:
    if use.used < use.limit:
        return
    if use.limit == 0:
        raise _never(f"no {noun}s")
    next_in = use.next_in or 0.0
    raise QuotaExhausted(
        f"{use.used} of {_count(use.limit, noun)} in {period} are used{_by(use)}; the next "
        f"can be {done} at {shown_time(next_in, now)}.",
        fix=fix,
        code=code,
        retry_after=next_in,
    )


def check_repeat(use: Use, now: datetime | None = None) -> None:
    """Raise QuotaExhausted where a used idempotency key has paid for too many other bodies.

    A true repeat uses up nothing and is answered though nothing is left; so it takes more bytes
    than there are to be refused.
    """
    if use.used > use.limit:
        check_bytes(use, 1, now)


def too_many_keys(
    most: int, next_in: float, now: datetime | None = None, *, place: str = "address"
) -> QuotaExhausted:
    """Return the refusal of one more key; `next_in` in seconds."""
    return QuotaExhausted(
        f"{most} key{'s were' if most != 1 else ' was'} made from your {place} in the last "
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
        fix=f"Use an API key, or ask {the_maintainers()} for a larger quota.",
        code="quota_exhausted",
        retry_after=_DAY,
    )


def _by(use: Use) -> str:
    return f" by {use.network}" if use.network else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _first(own: int | None, usual: int) -> int:
    return usual if own is None else own
