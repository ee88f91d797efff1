"""What `as_of` names: a snapshot by its number, or a moment."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from shared.runtime.errors import InvalidInput

PATTERN: Final = (
    r"^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+ -][0-9]{2}:[0-9]{2})?)?)$"
)
_ACCEPTED: Final = re.compile(PATTERN)
_ATE_PLUS: Final = re.compile(r" ([0-9]{2}:[0-9]{2})$")


def read_as_of(text: str) -> int | datetime:
    """Return a snapshot's number, or the last moment meant; raises InvalidInput.

    A date means its end, and a time without an offset is in UTC. A `+` that became a space on its
    way through the address is taken for what it was.
    """
    if _ACCEPTED.fullmatch(text) is None:
        raise _invalid(text)
    if text.isdigit():
        return int(text)
    try:
        if len(text) == len("2026-04-15"):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1) - timedelta(microseconds=1)
        clock = text[10:].upper()
        moment = datetime.fromisoformat(text[:10] + "T" + _ATE_PLUS.sub(r"+\1", clock[1:]))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(text) from None


def _invalid(text: str) -> InvalidInput:
    return InvalidInput(
        f"as_of is {text[:40]!r}.",
        fix="Use a date (2026-04-15), a time (2026-04-15T12:00:00Z) or a snapshot's number.",
        code="invalid_query",
    )
