"""What a file's report says as annotations of GitHub Actions, on the record's line if it is known.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from medvid.benchmark.decoding import SUBMISSION_LIMITS, RefusedFile, decode
from medvid.benchmark.report import Report
from medvid.benchmark.unpacking import GZIP_MAGIC
from medvid.cli.printing import problem_line

_PLACE: Final = re.compile(r"\$\[(\d{1,9})\]")


def workflow_commands(report: Report, path: Path, content: bytes) -> Iterator[str]:
    """Yield a workflow command for each problem and warning."""
    starts = _starts(content)
    for problem in report.problems:
        place = _PLACE.match(problem.path)
        index = int(place[1]) if place else -1
        line = content.count(b"\n", 0, starts[index]) + 1 if 0 <= index < len(starts) else 0
        yield _command("error", path, line, problem.code, problem_line(problem))
    for advice in report.warnings:
        task = f" ({advice.task})" if advice.task else ""
        parts = (f"{advice.count:,} {advice.message}{task}", advice.effect, advice.fix)
        yield _command("warning", path, 0, advice.code, ". ".join(filter(None, parts)))


def _starts(content: bytes) -> list[int]:
    """Return where the records begin; nothing where lines say nothing: packed or unreadable."""
    if content.startswith(GZIP_MAGIC):
        return []
    try:
        return list(decode(content, SUBMISSION_LIMITS).layout.starts)
    except RefusedFile:
        return []


def _command(kind: str, path: Path, line: int, title: str, message: str) -> str:
    properties = {"file": str(path), **({"line": str(line)} if line else {}), "title": title}
    listed = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{kind} {listed}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    """Return a text that cannot end a command or begin another."""
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
