"""What a conversion did, for people and as JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was done to `count` records, or left out; codes are stable."""

    code: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rule that rewrote `count` texts, with the first of them."""

    rule: str
    count: int
    path: str
    before: str
    after: str
