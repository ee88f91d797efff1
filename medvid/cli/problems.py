"""How errors of a file are shown; equal ones once, with their number and first places."""

from __future__ import annotations

from rich.text import Text

from medvid.api.answers import Problem as FoundProblem
from medvid.api.report_answers import ReportProblem
from medvid.benchmark.report import Problem

Shown = Problem | FoundProblem | ReportProblem
"""A problem that was found here, or that a server told."""


def problem_text(problem: Shown) -> Text:
    """Return a problem for people."""
    text = Text("  ")
    text.append(str(problem.code), style="bold")
    text.append(f" {where(problem)}\n")
    text.append(f"    found     {problem.found}\n    expected  {problem.expected}\n")
    text.append(f"    to fix    {problem.fix}")
    return text


def where(problem: Shown) -> str:
    """Return the place of a problem, or how often and where first it occurs."""
    if problem.count == 1:
        return f"at {problem.path}"
    return f"in {problem.count:,} records, first at {', '.join(problem.places)}"
