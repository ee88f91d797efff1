"""Styles of action labels (NAP): the label with something around it."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Mapping
from typing import Final

from medvid.benchmark.vocabulary import load_vocabulary

LABEL_STYLE: Final = "label_style"

_AROUND: Final = string.whitespace + string.punctuation + "\u201c\u201d\u2018\u2019\u3002"
_BULLET: Final = re.compile(r"\s*+(?:\d{1,3}[.):]|[-*\u2022])\s++")
_LEAD: Final = re.compile(
    r"\s*+(?:the\s++)?(?:(?:most\s++likely|predicted)\s++)?(?:next\s++)?"
    r"(?:next|action|step|procedure|label|prediction)\b(?:\s++(?:is|will\s++be|would\s++be)\b)?"
    r"[\s:\"'*`-]*+",
    re.IGNORECASE,
)
_LONGEST: Final = 400


def rewrite(text: str) -> tuple[str, list[str]]:
    """Return the label alone where the text names one and says so plainly."""
    stripped = text.strip()
    labels = _labels()
    if stripped in labels.values() or len(stripped) > _LONGEST:
        return text, []
    for candidate in _candidates(stripped):
        label = labels.get(candidate.strip(_AROUND).casefold())
        if label:
            return label, [LABEL_STYLE]
    return text, []


def _candidates(text: str) -> list[str]:
    first = text.partition("\n")[0]
    found = []
    for line in (text, first):
        bare = _BULLET.sub("", line, count=1) if _BULLET.match(line) else line
        lead = _LEAD.match(bare)
        found += [line, bare, *([bare[lead.end() :]] if lead else [])]
    return found


@functools.cache
def _labels() -> Mapping[str, str]:
    """Every label of the vocabulary by its case-folded form."""
    vocabulary = load_vocabulary()
    every = [label for labels in vocabulary.labels.values() for label in labels]
    for procedures in vocabulary.by_procedure.values():
        every += [label for labels in procedures.values() for label in labels]
    found: dict[str, str] = {}
    for label in every:
        found.setdefault(label.strip().strip(_AROUND).casefold(), label)
    return found
