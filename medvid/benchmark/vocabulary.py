"""The action labels of next action prediction (SPEC 2, NAP), from the bundled vocabulary."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Labels and aliases.

    `labels` holds a list a source; `aliases` maps other spellings to labels, a source; and
    `by_procedure` the lists, in file order, of the sources whose list depends on the procedure
    that the question names.
    """

    labels: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, Mapping[str, str]]
    by_procedure: Mapping[str, Mapping[str, tuple[str, ...]]]


@functools.cache
def load_vocabulary() -> Vocabulary:
    """Return the bundled vocabulary; sources with an empty list are not in it."""
    file = importlib.resources.files("medvid.benchmark") / "data" / "action_vocabulary.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    suffix = "_aliases"
    return Vocabulary(
        labels={
            source: tuple(labels)
            for source, labels in content.items()
            if isinstance(labels, list) and labels
        },
        aliases={
            name.removesuffix(suffix): aliases
            for name, aliases in content.items()
            if name.endswith(suffix)
        },
        by_procedure={
            source: {name: tuple(labels) for name, labels in procedures.items()}
            for source, procedures in content.items()
            if isinstance(procedures, dict) and procedures and not source.endswith(suffix)
        },
    )
