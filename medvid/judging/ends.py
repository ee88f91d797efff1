"""When a judge's model leaves its provider, as the provider's list of models tells it.

OpenAI documents an optional `shutdown_date` (YYYY-MM-DD, or null) of each model. Others write the
same under other names, with a time, as seconds since 1970, or within an object.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

WARNING_DAYS: Final = 60
FAILURE_DAYS: Final = 30
_FIELDS: Final = (
    "shutdown_date", "shutdown_at", "retirement_date", "expiration_date", "sunset_date",
    "deprecation", "deprecation_date", "deprecated_at",
)  # fmt: skip
"""In order: the first ones surely name the end, the last ones may."""
_WITHIN: Final = (*_FIELDS, "inference", "date", "at")


def announced_end(model: object) -> date | None:
    """Return the day (UTC) on which a listed model ends; None where none is named or readable."""
    return _first(model, _FIELDS) if isinstance(model, Mapping) else None


def end_of(models: Mapping[str, date | None], model: str) -> date | None:
    """Return what a list says of a model, whose name may be listed as `models/NAME`."""
    return models.get(model) or models.get(f"models/{model.removeprefix('models/')}")


def earlier(days: Iterable[date | None]) -> date | None:
    """Return the earliest known day."""
    return min((day for day in days if day is not None), default=None)


def days_left(end: date, today: date) -> int:
    """Return the days from today to the end; negative after it."""
    return (end - today).days


def _first(fields: Mapping[object, object], names: Iterable[str]) -> date | None:
    for name in names:
        value = fields.get(name)
        day = _first(value, _WITHIN) if isinstance(value, Mapping) else _day(value)
        if day is not None:
            return day
    return None


def _day(value: object) -> date | None:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            seconds = value / 1000 if value > 1e11 else value
            return datetime.fromtimestamp(seconds, UTC).date() if math.isfinite(seconds) else None
    except (ValueError, OverflowError, OSError):
        pass
    return None
