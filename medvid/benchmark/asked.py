"""What a sample asks for, as far as its question and source tell: no truth is needed."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Set as AbstractSet
from typing import Final

from medvid.benchmark.vocabulary import load_vocabulary

_NUMBER: Final = r"(\d++(?:\.\d++)?+)"
_UNIT: Final = r"(?:\s*+(?:seconds?|secs?|s)\b)?+"
_RANGE: Final = re.compile(
    rf"(?<!\d)(?<!\d\.){_NUMBER}{_UNIT}\s*+(?:to|and|until|[-\u2013\u2014~])\s*+{_NUMBER}(?!\d)",
    re.IGNORECASE,
)
_MOMENT: Final = re.compile(rf"\bat\s++{_NUMBER}\s*+(?:seconds?|secs?|s)\b", re.IGNORECASE)
_AROUND: Final = string.whitespace + string.punctuation


@functools.lru_cache(maxsize=1 << 14)
def asked_times(question: str) -> tuple[float, float] | None:
    """Return the first and last time that a question names; None where it names none."""
    found = _RANGE.search(question)
    if found:
        first, last = float(found[1]), float(found[2])
        return (first, last) if first <= last else None
    moment = _MOMENT.search(question)
    return (float(moment[1]),) * 2 if moment else None


@functools.lru_cache(maxsize=1 << 10)
def labels_asked(source: str, question: str) -> AbstractSet[str]:
    """Return the labels that a next action can be; empty where they are not known."""
    vocabulary = load_vocabulary()
    procedures = vocabulary.by_procedure.get(source)
    if procedures is None:
        return frozenset(vocabulary.labels.get(source, ()))
    lowered = question.lower()
    for name, labels in procedures.items():
        if name.lower() in lowered:
            return frozenset(labels)
    return frozenset(label for labels in procedures.values() for label in labels)


def is_label(text: str, labels: AbstractSet[str], source: str) -> bool:
    """Whether a text is a label as it stands, or by another spelling of its source."""
    text = text.strip()
    return load_vocabulary().aliases.get(source, {}).get(text, text) in labels


def is_nearly_label(text: str, labels: AbstractSet[str]) -> bool:
    """Whether a text is a label but for case and punctuation around it, as strict scoring does."""
    return text.strip(_AROUND).casefold() in _bare(frozenset(labels))


@functools.lru_cache(maxsize=1 << 8)
def _bare(labels: frozenset[str]) -> frozenset[str]:
    return frozenset(label.strip(_AROUND).casefold() for label in labels)
