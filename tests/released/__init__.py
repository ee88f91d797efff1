"""What released versions wrote and read: their SQL, messages and queues, never edited.

During an upgrade the version before works on the new schema, beside new services. Its statements
stand here as they were released, so that they can be run without its code.

`contract/` is about the version at work: what others can see of it (`tests.frozen`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
VERSIONS: Final = sorted(path.name for path in FOLDER.iterdir() if path.name[0].isdigit())
_NAME: Final = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


@cache
def sql(version: str, package: str, file: str = "queries") -> dict[str, str]:
    """Return the named statements of a package as a version had them."""
    parts = _NAME.split((FOLDER / version / f"{package}.{file}.sql").read_text())
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def all_sql(version: str) -> dict[str, str]:
    """Return every statement of a version by 'file: name'."""
    found = {}
    for path in sorted((FOLDER / version).glob("*.sql")):
        package, _, file = path.stem.rpartition(".")
        found |= {
            f"{path.stem}: {name}": text for name, text in sql(version, package, file).items()
        }
    return found


def messages(version: str) -> dict[str, str]:
    """Return the checksum of each golden message that a version came with, by its file's name."""
    lines = (FOLDER / version / "messages.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def topology(version: str) -> dict[str, Any]:
    """Return exchange and queues as a version declared them."""
    made: dict[str, Any] = json.loads((FOLDER / version / "topology.json").read_text())
    return made
