"""The contract: everything that a client, an operator or a message can see, as files to compare.

`tests/released/contract` holds the files; `tests/contract/test_frozen.py` compares them with what
the running code shows, and `python -m tests.freeze` rewrites them. A refactoring leaves them alone.

- `product`: what only the code can tell; the one place that names modules, which may move.
- `gateway`: what a running gateway answers over HTTP.
- `sources`: what only the source text can tell, such as names of log events.
- `files`: the text of each file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "tests" / "released" / "contract"
COMMAND: Final = "python -m tests.freeze"
VARIABLE: Final = "FREEZE_THE_CONTRACT"
"""Set in the environment, the test writes the files instead of comparing them."""
_SHOWN_LINES: Final = 200


def names() -> set[str]:
    """Return the names of the files there are."""
    return {path.name for path in FOLDER.glob("*.*")}


def difference(name: str, now: str) -> str:
    """Return how the file differs from what is there now, and what to do; '' if it does not."""
    path = FOLDER / name
    before = path.read_text("utf-8") if path.exists() else ""
    if before == now:
        return ""
    lines = list(
        difflib.unified_diff(
            before.splitlines(), now.splitlines(), f"frozen {name}", "now", lineterm=""
        )
    )
    more = f"\n... and {len(lines) - _SHOWN_LINES} more lines" if len(lines) > _SHOWN_LINES else ""
    return (
        "\n".join(lines[:_SHOWN_LINES]) + f"{more}\n\n"
        f"What others can see has changed: tests/released/contract/{name}.\n"
        f"If this change is meant, run '{COMMAND}' and say it in CHANGELOG.md with its reason."
    )


def rewrite(files: Mapping[str, str]) -> None:
    """Freeze what is there now, and nothing else."""
    FOLDER.mkdir(exist_ok=True)
    for name in names() - files.keys():
        (FOLDER / name).unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, "utf-8")
