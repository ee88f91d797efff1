"""Gathers what the site is made of in var/docs: docs/, a list of decisions, and the reference.

The reference comes from tests/released/contract, which a test holds against the running code.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "var" / "docs"
CONTRACT: Final = ROOT / "tests" / "released" / "contract"
REFERENCE: Final = {
    "settings": "Settings of the services, by environment variable.",
    "commands": "What each command and option of `medvid` means.",
    "problems": "Codes of problem documents; a server explains each at `/problems/CODE`.",
    "report-codes": "What the check of a file finds.",
    "routes": "Every address, with its methods. `/docs` of a server has the API with its models.",
    "metrics": "What services export for Prometheus.",
    "log-events": "Names of log lines, their level and fields.",
    "webhook-events": "What a webhook gets.",
}


def main() -> None:
    """Write the folder anew."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE)
    decisions = ["# Decisions", ""]
    for path in sorted((SOURCE / "adr").glob("*.md")):
        title = path.read_text().splitlines()[0].removeprefix("# ")
        decisions.append(f"- [{title}]({path.name})")
    (SOURCE / "adr" / "index.md").write_text("\n".join(decisions) + "\n")
    folder = SOURCE / "reference"
    folder.mkdir()
    for name, about in REFERENCE.items():
        title = name.replace("-", " ").capitalize()
        text = (CONTRACT / f"{name}.txt").read_text()
        (folder / f"{name}.md").write_text(f"# {title}\n\n{about}\n\n````text\n{text}````\n")


if __name__ == "__main__":
    main()
