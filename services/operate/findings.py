"""What an examination found: each check's outcome, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal, NamedTuple

from rich.console import Console
from rich.text import Text

State = Literal["ok", "warning", "failed", "skipped"]
_MARKS: Final[dict[State, tuple[str, str]]] = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED", "bold red"),
    "skipped": ("skipped", "dim"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome; `fix` says what to do where something is wrong."""

    check: str
    state: State
    says: str
    fix: str = ""


class CheckOutcome(NamedTuple):
    """What a check found, and what to do where something is wrong."""

    state: State
    says: str
    fix: str = ""


def print_report(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print what was found; returns the exit status: 1 where a check failed."""
    healthy = not any(finding.state == "failed" for finding in findings)
    if as_json:
        report = {"ok": healthy, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(report, indent=2))
        return 0 if healthy else 1
    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        word, style = _MARKS[finding.state]
        console.print(Text.assemble((f"{word:>8}  ", style), (finding.check, "bold"),
                                    f": {finding.says}"))  # fmt: skip
        if finding.fix:
            console.print(Text(f"          → {finding.fix}"))
    return 0 if healthy else 1
