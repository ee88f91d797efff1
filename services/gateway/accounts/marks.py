"""The mark of entries that were sent by somebody whose identity a provider confirmed. Pure."""

from __future__ import annotations

from typing import Final

from medvid.benchmark.lookalikes import first_lookalike
from medvid.benchmark.names import check_text

VERIFIED: Final = "verified identity"
"""The mark of an account that does not want to be named."""
VERIFIED_AS: Final = "verified: "
"""How the mark of one begins that does; provider and name follow."""
LONGEST_MARK: Final = 80
"""Characters."""


def mark(provider: str, name: str, *, shown: bool) -> str:
    """Return the badge of an account's entries.

    Names that cannot be shown are left out, and those that pass for another's.
    """
    text = f"{VERIFIED_AS}{provider} {name}"
    return text if shown and _is_plain(text) and not first_lookalike(name) else VERIFIED


def _is_plain(text: str) -> bool:
    try:
        return check_text(text) == text and len(text) <= LONGEST_MARK and ";" not in text
    except ValueError:
        return False


def is_mark(badge: str) -> bool:
    """Tell whether a badge is such a mark."""
    return badge == VERIFIED or badge.startswith(VERIFIED_AS)
