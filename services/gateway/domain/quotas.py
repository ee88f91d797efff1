"""How much an account may do, and how it is told that it did that much."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.runtime.errors import MedvidError

_SECOND: Final = timedelta(seconds=1)


class QuotaExhausted(MedvidError):
    """The caller used up a quota; `retry_after` says in how many seconds there is room again."""

    code = "quota_exhausted"

    def __init__(self, detail: str, *, fix: str, code: str, retry_after: float) -> None:
        super().__init__(detail, fix=fix, code=code)
        self.retry_after = max(1, math.ceil(retry_after))


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
