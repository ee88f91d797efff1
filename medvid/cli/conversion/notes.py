"""What a conversion did, for people and as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PLURAL: Final = re.compile(r"\b(record|field|answer|prediction|qa_type|key)s\b")


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was done to `count` records, or left out; codes are stable."""

    code: str
    message: str
    count: int

    def __str__(self) -> str:
        """Return the note for people; its message begins with what is counted, in the plural."""
        words = self.message
        if self.count == 1:
            words = _PLURAL.sub(r"\1", words, count=1)
        return f"{self.count:,} {words}"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rule that rewrote `count` texts, with the first of them."""

    rule: str
    count: int
    path: str
    before: str
    after: str
