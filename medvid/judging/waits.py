"""For how long an endpoint asks to be left alone: in headers, or in what it says."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from medvid.judging.calls import Allowance
from medvid.judging.retry import parse_retry_after

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION: Final = re.compile(rf"(?:{_PART}(?:ms|[smhd]))+")
_DURATION_PART: Final = re.compile(rf"({_PART})(ms|[smhd])")
_UNIT: Final = r"(?:ms|seconds?|minutes?|hours?|[smhd])"
_SAID: Final = re.compile(
    rf"(?:try again|retry|wait)[^.0-9]{{0,30}}((?:{_PART}\s?{_UNIT}\s?)+)(?![a-z])",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"\s*(s|m|h)(?:econds?|inutes?|ours?)\s*", re.IGNORECASE)
_LIMITS: Final = ("requests", "tokens", "")
_EPOCH: Final = 1_000_000_000
_LONGEST: Final = 7 * 86400.0


def read_wait(headers: Mapping[str, str], text: str, now: datetime) -> float | None:
    """Return the seconds that a refusal asks for: headers first, then its text; None for none."""
    milliseconds = _number(_passed_on(headers, "retry-after-ms"))
    if milliseconds is not None:
        return min(max(milliseconds, 0.0) / 1000, _LONGEST)
    asked = parse_retry_after(_passed_on(headers, "retry-after"), now)
    if asked is None:
        asked = until_next_call(headers, now)
    if asked is None:
        match = _SAID.search(text)
        asked = _duration(_WORDS.sub(r"\1", match[1]).replace(" ", "")) if match else None
    return None if asked is None else min(asked, _LONGEST)


def _passed_on(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header, or the provider's that LiteLLM passes on by another name."""
    return headers.get(name) or headers.get(f"llm_provider-{name}")


def until_next_call(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds until the account takes a call, where nothing is left of its limit.

    None where something is left, or nothing is said about it.
    """
    waits = []
    for limit in _LIMITS:
        suffix = f"-{limit}" if limit else ""
        left = _number(headers.get(f"x-ratelimit-remaining{suffix}"))
        reset = headers.get(f"x-ratelimit-reset{suffix}")
        if left is not None and 0 <= left < 1 and reset is not None:  # -1: it cannot tell
            waits.append(_reset(reset, now))
    return max((wait for wait in waits if wait is not None), default=None)


def allowance(headers: Mapping[str, str], now: datetime, *, tokens: int) -> Allowance | None:
    """Return what is left of the tightest limit, for calls of this many tokens; None if not known.

    A reset is when all of a limit is there again. Bit by bit or at once: no header says, so calls
    may be as close as either allows.
    """
    found = []
    for limit in _LIMITS:
        suffix = f"-{limit}" if limit else ""
        whole, left = (_number(headers.get(f"x-ratelimit-{of}{suffix}"))
                       for of in ("limit", "remaining"))  # fmt: skip
        reset = headers.get(f"x-ratelimit-reset{suffix}")
        seconds = _reset(reset, now) if reset is not None else None
        each = tokens if limit == "tokens" else 1
        if seconds and each and whole is not None and left is not None and 0 <= left < whole:
            found.append(Allowance(left / each, each * seconds / max(whole - left, left)))
    return min(found, default=None)


def _reset(value: str, now: datetime) -> float | None:
    """Read "1s", "6m0s", "20ms", seconds, or a moment in (milli)seconds since 1970."""
    number = _number(value)
    if number is None:
        return _duration(value.strip())
    if number > 1000 * _EPOCH:
        number /= 1000
    return max(0.0, number - now.timestamp() if number > _EPOCH else number)


def _duration(text: str) -> float | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
