"""Who does something as an administrator, and why. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final, Self

from shared.runtime.errors import InvalidInput

REASON_LIMIT: Final = 1_000
"""Characters of a reason."""
_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ALLOWED: Final = frozenset("\n\t")


@dataclass(frozen=True, slots=True)
class AdminAction:
    """What an administrator does: who, why, and in which request."""

    who: str
    why: str
    request_id: str

    @classmethod
    def of(cls, who: str, why: str, request_id: str) -> Self:
        """Return the action; raises InvalidInput where the reason is missing or not valid."""
        return cls(who, check_reason(why), request_id)


def check_reason(why: str) -> str:
    """Return a reason as it is written down; raises InvalidInput saying what is wrong with it."""
    text = unicodedata.normalize("NFC", why.replace("\r\n", "\n")).strip()
    if not text:
        raise InvalidInput(
            "the reason is missing.",
            fix="Say in a few words why: it goes into the audit log.",
            code="reason_required",
        )
    if len(text) > REASON_LIMIT:
        raise InvalidInput(
            f"the reason has {len(text):,} characters.",
            fix=f"Use at most {REASON_LIMIT:,}.",
            code="reason_required",
        )
    hidden = hidden_character(text, allowed=_ALLOWED)
    if hidden is not None:
        raise InvalidInput(
            f"the reason has an invisible character, U+{ord(hidden):04X}.",
            fix="Remove it.",
            code="reason_required",
        )
    return text


def hidden_character(text: str, *, allowed: frozenset[str] = frozenset()) -> str | None:
    """Return the first control, format or other invisible character of a text."""
    return next(
        (
            character
            for character in text
            if unicodedata.category(character) in _REFUSED and character not in allowed
        ),
        None,
    )
