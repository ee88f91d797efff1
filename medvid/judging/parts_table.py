"""The parts of a judge's version as data: names, what each is, how each parser reads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal

PartKind = Literal["rubric", "rationale", "prompt", "parser"]
ParserName = Literal["1", "2"]


@dataclass(frozen=True, slots=True)
class JudgePart:
    """One version of a part. `digest`: of a file's content, the beginning."""

    kind: PartKind
    name: str
    since: str
    says: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Parser:
    """How replies are read. `relaxed`: marks of lists, emphasis and scores such as 4/5 are form."""

    name: str
    relaxed: bool


def _read() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    content = (files("medvid.judging") / "parts" / "changelog.toml").read_text("utf-8")
    return tomllib.loads(content)


_TABLE: Final = _read()
_KINDS: Final[tuple[PartKind, ...]] = ("rubric", "rationale", "prompt", "parser")
PARTS: Final = tuple(
    JudgePart(kind, name, part["since"], part["says"], part.get("digest"))
    for kind in _KINDS
    for name, part in _TABLE[kind].items()
)
"""All, oldest first within a kind."""
PROMPT_VERSION: Final = max(_TABLE["prompt"], key=int)
PARSERS: Final = {name: Parser(name, part["relaxed"]) for name, part in _TABLE["parser"].items()}
DEFAULT_PARSER: Final[ParserName] = "1"
"""The parser of the verdicts on boards; an operator chooses another one, a release never does."""
