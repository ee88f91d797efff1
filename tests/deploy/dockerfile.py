"""A Dockerfile and its ignore file, read as far as the tests ask."""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stage:
    """What follows a FROM."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [text for name, text in self.steps if name == instruction]

    def environment(self) -> dict[str, str]:
        pairs = (word.partition("=") for text in self.all("ENV") for word in shlex.split(text))
        return {name: value for name, _, value in pairs}


def parse(text: str) -> tuple[dict[str, str | None], list[Stage]]:
    """Return the arguments before the first stage (None without a default) and the stages."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    arguments: dict[str, str | None] = {}
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            stages.append(Stage(base, alias or str(len(stages))))
        elif not stages:
            argument, equals, value = rest.partition("=")
            arguments[argument] = value if equals else None
        else:
            stages[-1].steps.append((name, rest.strip()))
    return arguments, stages


def is_ignored(path: str, rules: list[str]) -> bool:
    """Tell whether an ignore file keeps a path out: the last rule that matches it or a folder."""
    parts = path.split("/")
    names = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    ignored = False
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        anywhere = rule.lstrip("!").startswith("**/")
        candidates = parts if anywhere else names
        if any(fnmatch.fnmatchcase(name, pattern) for name in candidates):
            ignored = not rule.startswith("!")
    return ignored
