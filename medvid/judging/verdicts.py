"""A verdict: one score from 1 to 5 for each aspect, or none at all (SPEC 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from medvid.benchmark.tasks import ASPECTS

Verdict = Mapping[str, int]
"""Aspect -> score."""

SCORES: Final = range(1, 6)


def is_valid(verdict: Verdict | None) -> bool:
    """Whether a verdict scores every aspect with an integer from 1 to 5; nothing is clamped."""
    if verdict is None:
        return False
    scores = [verdict.get(aspect) for aspect in ASPECTS]
    return all(type(score) is int and score in SCORES for score in scores)
