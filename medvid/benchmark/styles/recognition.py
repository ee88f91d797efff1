"""Which styles a prediction has that are not read as they are meant, rewritable or not."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from medvid.benchmark.parsing.dvc import parse_captions
from medvid.benchmark.report import Code
from medvid.benchmark.styles import scores, times, wrappers
from medvid.benchmark.styles.rewriting import is_read, tidy
from medvid.benchmark.tasks import Task

REFUSAL: Final = re.compile(
    r"\s*+[\[(<*\"']{0,2}+(?:"
    r"(?:i(?:'m| am)?|we)\s++(?:(?:am|are)\s++)?(?:sorry|cannot|can't|can\s++not|could\s++not"
    r"|couldn't|do\s++not|don't|unable|not\s++able)\b"
    r"|(?:sorry|unfortunately|apologies|as\s++an?\s++ai)\b"
    r"|(?:it\s++(?:seems|appears|looks)\s++(?:like\s++|that\s++)?(?:no|there\s++is\s++no|you)\b)"
    r"|please\s++(?:provide|upload|share|attach)\b"
    r"|(?:it\s++is|it's)\s++(?:not\s++possible|impossible|unclear)\b"
    r"|(?:the\s++(?:video|image|clip)s?|no\s++(?:video|image|clip)s?)\s++"
    r"(?:(?:is|was|are|were|has\s++been)\s++(?:provided|uploaded|attached|given)|(?:is|was|are|were)\s++(?:not\s++|un)(?:available|provided|visible|accessible|clear|able)|(?:cannot|can't|could\s++not)\b)"
    r"|(?:\u62b1\u6b49|\u5bf9\u4e0d\u8d77|\u6211\u65e0\u6cd5|\u65e0\u6cd5)"
    r")",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(
    r"\W*+(?:none|n/?a|null|nil|nan|unknown|undefined|empty|error|nothing|not\s+(?:applicable|available"
    r"|sure|visible)|no\s+(?:answer|response|output|prediction|information|events?|segments?|boxe?s?)"
    r"|cannot\s+determine|unanswerable|\u65e0)?\W*+",
    re.IGNORECASE,
)
_PLACEHOLDER_CHARACTERS: Final = 40
_SHORT_CHARACTERS: Final = 200
_DIGIT: Final = re.compile(r"\d")
_TIMED_TASKS: Final = (Task.TAL, Task.STG, Task.DENSE_CAPTIONING)
_TEMPLATES: Final = frozenset((
    "event label: factual description", "factual description", "description", "caption",
    "event description", "[description]", "<description>", "[caption]", "<caption>", "...",
))  # fmt: skip
_OTHER_SCALE: Final = re.compile(r"\d\s?/\s?(?:\d\d|[^5\D])|\d\.0*+[1-9]\d*+\s?/\s?5(?!\d)")
FRACTION: Final = re.compile(r"(?:structures?|plate|triangle):\s*+\d++\.0*+[1-9]", re.IGNORECASE)
"""A score that is no whole number, after a component's name."""
_FRAMES: Final = re.compile(r"\bframes?\s*+#?\s*+\d|\d\s?frames?\b", re.IGNORECASE)
_CLOCK: Final = re.compile(r"\d:\d\d(?!\d)")


class Styles(NamedTuple):
    """The codes of a prediction's styles: those that tidying rewrites, and those that stay."""

    rewritten: tuple[str, ...] = ()
    staying: tuple[str, ...] = ()


def recognise(text: str, task: Task) -> tuple[str, ...]:
    """Return the codes of a prediction's styles; none where it is read as it is meant."""
    rewritten, staying = styles_of(text, task)
    return tuple(dict.fromkeys((*rewritten, *staying)))


def styles_of(text: str, task: Task) -> Styles:
    """Return the same, told apart by whether tidying cures them."""
    if not text.strip():
        return Styles()
    return _of_short(text, task) if len(text) <= _SHORT_CHARACTERS else _of(text, task)


@functools.lru_cache(maxsize=1 << 11)
def _of_short(text: str, task: Task) -> Styles:
    """Short texts repeat."""
    return _of(text, task)


def _of(text: str, task: Task) -> Styles:
    if task in _TIMED_TASKS and "<" not in text and not _DIGIT.search(text):
        nothing = REFUSAL.match(text) or is_placeholder(text)
        return Styles(staying=(Code.REFUSAL if nothing else Code.NO_TIMES,))
    if wrappers.reasoning_is_unfinished(text):
        return Styles(staying=(Code.UNFINISHED_REASONING,))
    rewritten, applied = tidy(text, task)
    answer = rewritten.strip()
    if (REFUSAL.match(answer) or is_placeholder(answer)) and not is_read(answer, task):
        return Styles(applied, (Code.REFUSAL,))
    look = _LOOKS.get(task)
    return Styles(applied, tuple(look(answer)) if answer and look else ())


def is_placeholder(text: str) -> bool:
    """Whether a text stands for no answer, such as N/A."""
    return len(text) <= _PLACEHOLDER_CHARACTERS and bool(_PLACEHOLDER.fullmatch(text))


def _segments(text: str) -> list[str]:
    if _FRAMES.search(text):
        return [Code.FRAMES_FOR_SECONDS]
    return [] if is_read(text, Task.TAL) else _unread_times(text)


def _unread_times(text: str) -> list[str]:
    if not _DIGIT.search(text):
        return [Code.NO_TIMES]
    return [Code.CLOCK_TIMES if _CLOCK.search(text) else Code.UNREAD_TIMES]


def _captions(text: str) -> list[str]:
    found = parse_captions(text)
    if not found:
        return [Code.FRAMES_FOR_SECONDS] if _FRAMES.search(text) else _unread_times(text)
    return [Code.TEMPLATE_TEXT] if any(is_template(s.caption) for s in found) else []


def is_template(caption: str) -> bool:
    """Whether a caption is what a prompt says of captions."""
    return len(caption) <= _PLACEHOLDER_CHARACTERS and caption.strip().lower() in _TEMPLATES


def _boxes(text: str) -> list[str]:
    if is_read(text, Task.STG):
        return []
    if _FRAMES.search(text):
        return [Code.FRAMES_FOR_SECONDS]
    return [Code.BOX_STYLE] if _DIGIT.search(text) else [Code.NO_TIMES]


def _components(text: str) -> list[str]:
    if FRACTION.search(text):
        return [Code.OTHER_SCALE]
    return [] if scores.components(text) else [Code.UNNAMED_SCORES]


def _aspects(text: str) -> list[str]:
    if scores.aspects(text):
        return []
    if _OTHER_SCALE.search(text):
        return [Code.OTHER_SCALE]
    return [Code.UNNAMED_SCORES]


def _caption(text: str) -> list[str]:
    return [Code.JSON] if times.items_of(text) else []


_LOOKS: Final[Mapping[Task, Callable[[str], list[str]]]] = {
    Task.TAL: _segments,
    Task.STG: _boxes,
    Task.DENSE_CAPTIONING: _captions,
    Task.CVS_ASSESSMENT: _components,
    Task.SKILL_ASSESSMENT: _aspects,
    Task.VIDEO_SUMMARY: _caption,
    Task.REGION_CAPTION: _caption,
}
