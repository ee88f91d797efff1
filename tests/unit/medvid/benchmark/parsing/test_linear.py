"""The parsers' patterns cannot backtrack over text: their structure is checked, not timed."""

from __future__ import annotations

import re
import re._constants as opcodes
import re._parser as parser
from types import ModuleType
from typing import Any

import pytest

from medvid.benchmark.parsing import cvs, dvc, sa, stg, tal


def patterns(module: ModuleType) -> list[re.Pattern[str]]:
    found = [value for value in vars(module).values() if isinstance(value, re.Pattern)]
    found += [pattern for *_, pattern in getattr(module, "_NAMES", ())]
    return found


PATTERNS = [
    pytest.param(pattern, id=f"{module.__name__.rsplit('.')[-1]}: {pattern.pattern[:40]}")
    for module in (cvs, dvc, sa, stg, tal)
    for pattern in patterns(module)
]


def operations(items: Any) -> list[tuple[Any, Any]]:
    """Return every operation of a parsed pattern, nested ones included."""
    found: list[tuple[Any, Any]] = []
    for operation, argument in items:
        found.append((operation, argument))
        for part in argument if isinstance(argument, tuple | list) else ():
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, parser.SubPattern):
                    found += operations(inner)
    return found


def test_all_patterns_are_looked_at() -> None:
    assert len(PATTERNS) == 13


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_unbounded_repeat_is_possessive(pattern: re.Pattern[str]) -> None:
    for operation, argument in operations(parser.parse(pattern.pattern, pattern.flags)):
        if operation in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT):
            assert argument[1] == 1, f"{pattern.pattern} repeats {argument} and may give back"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_attempt_begins_within_a_run(pattern: re.Pattern[str]) -> None:
    """A pattern begins with a literal or at the start of a number, or is matched at one place."""
    begins = pattern.pattern.removeprefix("(?:")
    anchored_by_caller = (dvc._AT_LINE_START, sa._SCORE)  # noqa: SLF001 - white-box by design
    assert (
        pattern in anchored_by_caller
        or begins[0].isalpha()
        or begins.startswith(("(?<!\\d)", "\\n", "\\[", "\\*"))
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_repeats_are_of_single_characters(pattern: re.Pattern[str]) -> None:
    for operation, argument in operations(parser.parse(pattern.pattern, pattern.flags)):
        if operation is opcodes.POSSESSIVE_REPEAT:
            ((inner, _),) = argument[2]
            assert inner in (opcodes.IN, opcodes.LITERAL, opcodes.CATEGORY)
