"""The rubric: the words that tell a model how to grade. Versioned data in `rubrics/*.toml`."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final

from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS, Task
from medvid.judging.rationale import Rationale, load_rationale
from medvid.judging.verdicts import SCORES

_DIGEST_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Aspect:
    """One aspect with what each score, from 1 up, stands for."""

    title: str
    question: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rubric:
    """A rubric file. `version` names it and its content: an edited file is another version.

    `rationale`: how reasons are asked for besides the scores; None where they are not.
    """

    version: str
    instructions: str
    closing: str
    aspects: Mapping[str, Aspect]
    tasks: Mapping[Task, str]
    json_form: str
    lines_form: str
    reminder: str
    rationale: Rationale | None = None


@cache
def load_rubric(name: str, *, rationale: bool = False) -> Rubric:
    """Return a rubric of this package; raises ValueError where it is missing or incomplete.

    With `rationale`, one that asks for reasons, too.
    """
    if rationale:
        return replace(load_rubric(name), rationale=load_rationale())
    file = files("medvid.judging") / "rubrics" / f"{name}.toml"
    try:
        return parse_rubric(name, file.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"there is no rubric {name}") from error


def parse_rubric(name: str, content: bytes) -> Rubric:
    """Read a rubric file; raises ValueError when a part is missing."""
    try:
        data = tomllib.loads(content.decode())
        rubric = Rubric(
            version=f"{name}+{hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]}",
            instructions=data["instructions"].strip(),
            closing=data["closing"].strip(),
            aspects={
                key: Aspect(found["title"], found["question"], tuple(found["levels"]))
                for key, found in data["aspects"].items()
            },
            tasks={task: data["tasks"][task.value].strip() for task in CAPTION_TASKS},
            json_form=data["reply"]["json"].strip(),
            lines_form=data["reply"]["lines"].strip(),
            reminder=data["reply"]["reminder"].strip(),
        )
    except KeyError as error:
        raise ValueError(f"rubric {name} lacks {error}") from error
    if tuple(rubric.aspects) != tuple(ASPECTS):
        raise ValueError(f"rubric {name} must describe the aspects {', '.join(ASPECTS)}, in order")
    if any(len(aspect.levels) != len(SCORES) for aspect in rubric.aspects.values()):
        raise ValueError(f"rubric {name} must anchor each of the {len(SCORES)} scores")
    return rubric
