"""What may be wrong with a key or token that a server refused, where its sender can see it."""

from __future__ import annotations

import re
from typing import Final

CODES: Final = frozenset({"unknown_credential", "unknown_key", "invalid_token"})
"""Refusals of a credential."""
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_VARIABLE: Final = re.compile(r"\$[{(]{0,2} *([A-Za-z_][\w.]*)|%(\w+)%")
_SENDABLE: Final = re.compile(r"[\x21-\x7e]{1,200}")
_PREFIXES: Final = ("mvk_", "mvb_")


def sendable(secret: str) -> bool:
    """Return whether a header can hold it."""
    return _SENDABLE.fullmatch(secret) is not None


def fix_of(secret: str) -> str | None:
    """Return what to do about a key or token, None where nothing can be seen; never the secret."""
    if secret[:1] in _QUOTES or secret[-1:] in _QUOTES:
        return "The key is wrapped in quotes: leave them out."
    if variable := _VARIABLE.match(secret):
        return (
            f"${variable[1] or variable[2]} was not expanded: write its value, or leave out what "
            "keeps your shell or workflow from expanding it, such as single quotes."
        )
    if secret.lower().startswith("bearer"):
        return "Leave out the word 'Bearer': it is put before the key anyway."
    if "..." in secret or "\u2026" in secret or secret[:1] == "<":
        return "The key is the example's or cut: take the whole key as it was shown once."
    if not sendable(secret):
        return "The key has a space, a line break or another character that no key has."
    if not secret.startswith(_PREFIXES):
        return (
            "API keys begin with mvk_ and owner tokens with mvb_: its beginning is missing, "
            "or it is a mistyped administrator's key."
        )
    return None
