"""Who judges and until when, or why nobody does, and the fix: the same words everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal, NamedTuple

from medvid.judging.ends import days_left

WhyOff = Literal["no_provider", "no_model"]


class Off(NamedTuple):
    """Why judging is off, as a sentence, and what an operator sets."""

    says: str
    fix: str

    @property
    def for_others(self) -> str:
        """Return the fix for a reader who is not an operator."""
        return f"Operators: {self.fix[0].lower()}{self.fix[1:]}"


OFF: Final[Mapping[WhyOff, Off]] = {
    "no_provider": Off("no judge is set up.", "Set MEDVID_JUDGE_PROVIDER and start the judge."),
    "no_model": Off(
        "no model is set for the judge.",
        "Set MEDVID_JUDGE_MODEL, which has no default, and restart the judge: docs/operations.md, "
        "'Choose a judge'.",
    ),
}


def off(code: str | None) -> Off:
    """Return the words for a code; a judge that never said why is not set up."""
    return OFF["no_model"] if code == "no_model" else OFF["no_provider"]


def said_of(
    model: str | None, code: str | None, ends: date | None, today: date, *, is_stub: bool
) -> str:
    """Say who judges and until when, or why nobody does (`model` is None)."""
    if model is None:
        return f"Judging is off: {off(code).says}"
    if is_stub:
        return f"The stand-in {model} judges: its numbers mean nothing."
    if ends is None:
        return f"{model} judges. No end of it is known."
    left = days_left(ends, today)
    if left < 0:
        return f"{model} judges. Its provider took it away on {ends}: captions stay unjudged."
    days = "today" if left == 0 else f"in {left} day{'' if left == 1 else 's'}"
    return f"{model} judges. Its provider takes it away on {ends}, {days}."
