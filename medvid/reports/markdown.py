"""A report as Markdown with tables; whatever predictions hold stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from medvid.reports.document import Cell, ReportDocument, ReportSection, shown

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def render(document: ReportDocument) -> str:
    """Return the report's text."""
    blocks = [f"# {_text(document.title)}", *map(_text, document.lines)]
    for section in document.sections:
        blocks += _section(section)
    return "\n\n".join(blocks) + "\n"


def _section(section: ReportSection) -> Iterator[str]:
    yield f"## {_text(section.title)}"
    yield from map(_text, section.lines)
    if section.rows:
        yield "\n".join(_table(section))


def _table(section: ReportSection) -> Iterator[str]:
    yield _row(section.columns)
    numeric = [all(not isinstance(row[place], str) for row in section.rows)
               for place in range(len(section.columns))]  # fmt: skip
    yield "|" + "|".join(" ---: " if each else " --- " for each in numeric) + "|"
    yield from map(_row, section.rows)


def _row(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(_text(shown(cell)) for cell in cells) + " |"


def _text(text: str) -> str:
    """Return a text in one line, in which no character means anything."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
