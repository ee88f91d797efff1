"""Families of models: who is judged by a model of its own family may be judged too kindly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from medvid.judging.panels import Panel

_NAMES: Final = {
    "gpt": "gpt|chatgpt|o1|o3|o4",
    "claude": "claude",
    "gemini": "gemini",
    "gemma": "gemma|medgemma|paligemma",
    "llama": "llama|llava|vicuna",
    "qwen": "qwen|qwq|qvq",
    "deepseek": "deepseek",
    "mistral": "mistral|mixtral|ministral|magistral|pixtral",
    "internvl": "internvl|internlm",
    "glm": "glm|cogvlm",
    "kimi": "kimi",
    "grok": "grok",
    "phi": "phi",
    "minicpm": "minicpm",
}
"""How names of a family's models begin, at the beginning of a word."""
_PATTERNS: Final = {
    family: re.compile(rf"(?<![a-z0-9])(?:{names})(?![a-z])", re.IGNORECASE)
    for family, names in _NAMES.items()
}


def family_of(name: str, others: Mapping[str, str]) -> str | None:
    """Return the family of a model by its name; None where it does not tell.

    `others`: part of a name, in any case -> its family; they come first, in their order.
    """
    lower = name.lower()
    for part, family in others.items():
        if part.lower() in lower:
            return family
    found = {family: match.start() for family, each in _PATTERNS.items()
             if (match := each.search(name))}  # fmt: skip
    # Of a model made of several the one that is named first.
    return min(found, key=lambda family: found[family]) if found else None


def own_family(names: Iterable[str], panel: Panel, others: Mapping[str, str]) -> list[str]:
    """Return the judges, by version, that are of a family of the model that they judge.

    `names`: the model's and, where that is stated, its base model's.
    """
    families = {family_of(name, others) for name in names} - {None}
    return [
        each.judge_version for each in panel.members if family_of(each.name, others) in families
    ]
