"""`tidy`: a prediction in the form that SPEC 2 reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from medvid.benchmark.parsing.stg import parse_boxes
from medvid.benchmark.parsing.tal import parse_segments
from medvid.benchmark.styles import boxes, captions, labels, scores, times, wrappers
from medvid.benchmark.tasks import Task

_PASSES: Final = 4
"""One rewrite may make another apply; no style needs more rounds than this."""

Rewrite = Callable[[str], tuple[str, list[str]]]
_REWRITES: Final[Mapping[Task, Rewrite]] = {
    Task.TAL: times.rewrite,
    Task.STG: boxes.rewrite,
    Task.DENSE_CAPTIONING: captions.rewrite,
    Task.NEXT_ACTION: labels.rewrite,
    Task.CVS_ASSESSMENT: scores.rewrite_components,
    Task.SKILL_ASSESSMENT: scores.rewrite_aspects,
}


def _boxes(text: str) -> tuple[object, ...]:
    found = parse_boxes(text)
    return (*found.by_time.items(), *found.valid_by_time.items(), *found.untimed)


_READINGS: Final[Mapping[Task, Callable[[str], object]]] = {
    Task.TAL: parse_segments,
    Task.STG: _boxes,
    Task.DENSE_CAPTIONING: captions.reading,
    Task.CVS_ASSESSMENT: scores.components,
    Task.SKILL_ASSESSMENT: scores.aspects,
}


def tidy(text: str, task: Task) -> tuple[str, tuple[str, ...]]:
    """Return a prediction in the form that is read, and the names of the styles it had.

    A text that is read as it is meant comes back unchanged, and so does one that no rule knows.
    No value is invented, and tidying twice is tidying once.
    """
    read = _READINGS.get(task)
    rewritten, applied = text, dict[str, None]()
    for _ in range(_PASSES):
        changed, names = _once(rewritten, task)
        if changed == rewritten:
            break
        rewritten = changed
        applied |= dict.fromkeys(names)
    else:
        return text, ()
    if rewritten == text or (read is not None and read(rewritten) == read(text)):
        return text, ()
    return rewritten, tuple(applied)


def is_read(text: str, task: Task) -> bool:
    """Whether something of a task's structure is read; never of a task that reads the text."""
    read = _READINGS.get(task)
    return read is not None and bool(read(text))


def _once(text: str, task: Task) -> tuple[str, list[str]]:
    text, around = wrappers.rewrite(text, prefixes=task not in _READINGS)
    rewrite = _REWRITES.get(task)
    if rewrite is None:
        return text, around
    text, inside = rewrite(text)
    return text, [*around, *inside]
