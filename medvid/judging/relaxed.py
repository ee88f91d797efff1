"""What parser 2 takes for form: marks of lists, emphasis, an aspect's title, 4.0 and 4/5.

Each line and each key is brought to the strict form where it is a score and nothing else, and is
left as it is otherwise: the strict reader decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.prompt import RATIONALE

_MARK: Final = re.compile(r"(?:[-*•][ \t]+|[0-9]{1,2}[.)][ \t]+)")
_EMPHASIS: Final = str.maketrans("", "", "*_`")
_SCORE: Final = r"([0-9])(?:\.0{1,3})?(?:[ \t]*/[ \t]*5)?"
_LINE: Final = re.compile(
    rf"(R[0-9])([^0-9:\uff1a]{{0,80}})[:\uff1a][ \t]*{_SCORE}[ \t]*", re.IGNORECASE
)
_REASON: Final = re.compile(rf"{RATIONALE}[ \t]*[:\uff1a](.*)", re.IGNORECASE)
_TEXT: Final = re.compile(rf"[ \t]*{_SCORE}[ \t]*")
_BESIDE_TITLE: Final = " \t().-\u2013"
_WRAPPERS: Final = frozenset({"scores", "ratings", "verdict", "evaluation"})


def strict_lines(text: str) -> str:
    """Return lines in the strict form, as far as they are scores or the reason."""
    return "\n".join(map(_strict_line, text.split("\n")))


def _strict_line(line: str) -> str:
    plain = line.strip()
    plain = plain[match.end() :] if (match := _MARK.match(plain)) else plain
    bare = plain.translate(_EMPHASIS)
    score = _LINE.fullmatch(bare)
    if score is not None and _is_title(score[1].upper(), score[2]):
        return f"{score[1].upper()}: {score[3]}"
    reason = _REASON.fullmatch(plain) or _REASON.fullmatch(plain.lstrip("*_ ").replace("**", "", 1))
    return f"{RATIONALE.capitalize()}:{reason[1]}" if reason else line


def _is_title(aspect: str, text: str) -> bool:
    title = ASPECTS.get(aspect)
    said = text.strip(_BESIDE_TITLE).casefold()
    return title is not None and said in ("", title.casefold())


def strict_pairs(pairs: Sequence[tuple[str, object]]) -> list[tuple[str, object]]:
    """Return keys and values of an object in the strict form; one object of scores is opened."""
    return list(_strict_pairs(pairs, depth=0))


def _strict_pairs(pairs: Sequence[tuple[str, object]], depth: int) -> Iterator[tuple[str, object]]:
    for key, value in pairs:
        name = key.strip()
        if depth == 0 and name.casefold() in _WRAPPERS and isinstance(value, tuple):
            yield from _strict_pairs(value, depth + 1)
        elif name.casefold() == RATIONALE:
            yield RATIONALE, value
        else:
            yield name.upper(), _strict_score(value)


def _strict_score(value: object) -> object:
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value
