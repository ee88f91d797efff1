"""The mark of entries that were sent by somebody whose identity a provider confirmed. Pure."""

from __future__ import annotations

from typing import Final

from medvid.benchmark.names import check_text

VERIFIED: Final = "verified identity"
"""The mark of an account that does not want to be named."""
VERIFIED_AS: Final = "verified: "
"""How the mark of one begins that does; provider and name follow."""
LONGEST_MARK: Final = 80
"""Characters."""


def mark(provider: str, name: str, *, shown: bool) -> str:
    """Return the badge of an account's entries; names that cannot be shown are left out."""
    if not shown:
        return VERIFIED
    text = f"{VERIFIED_AS}{provider} {name}"
    try:
        fits = check_text(text) == text and len(text) <= LONGEST_MARK and ";" not in text
    except ValueError:
        fits = False
    return text if fits else VERIFIED


def is_mark(badge: str) -> bool:
    """Tell whether a badge is such a mark."""
    return badge == VERIFIED or badge.startswith(VERIFIED_AS)
