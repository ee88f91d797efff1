"""Verdicts in a file, for judging without a server: JSON lines, one a pair, only ever added.

A line is written whole once a verdict is there, so a process that is killed loses no more than the
calls under way; a last line that was cut off is dropped at the next start. Lines of other judge
versions are left alone: one file may serve several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Final, Self

import orjson

from medvid.judging.calls import NOTHING_USED, Usage
from medvid.judging.verdicts import Verdict, is_valid

_BEGINNING: Final = b'{"judge_version":'


class NotAVerdictFile(Exception):
    """The file holds something else; it is not touched."""


@dataclass(slots=True)
class VerdictFile:
    """An open file. `scored` are the verdicts of one judge version, by the pair's digest.

    `used`: what its calls took, failed ones included, by the pair that they were about. `microusd`:
    what all lines cost.
    """

    scored: dict[bytes, Verdict]
    used: dict[bytes, Usage]
    microusd: int
    _file: FileIO
    _version: str = field(repr=False)

    @classmethod
    def opened(cls, path: Path, version: str) -> Self:
        """Open or make a file; raises NotAVerdictFile, OSError."""
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        scored: dict[bytes, Verdict] = {}
        used: dict[bytes, Usage] = {}
        microusd = 0
        for number, line in enumerate(content[:whole].splitlines(), 1):
            found = _read(line)
            if found is None:
                raise NotAVerdictFile(f"line {number} of {path} is no verdict")
            microusd += found["microusd"]
            if found["judge_version"] == version:
                pair = bytes.fromhex(found["pair"])
                used[pair] = used.get(pair, NOTHING_USED).plus(_usage(found))
                scores = found.get("scores")
                if isinstance(scores, dict) and is_valid(scores):
                    scored[pair] = scores
        if not (content.startswith(_BEGINNING) or _BEGINNING.startswith(content)):
            raise NotAVerdictFile(f"{path} holds no verdicts")
        file = FileIO(path, "r+" if path.exists() else "w+")
        file.truncate(whole)
        file.seek(whole)
        return cls(scored, used, microusd, file, version)

    def add(self, pair: bytes, scores: Verdict | None, microusd: int, **facts: object) -> None:
        """Write one verdict, or why there is none (`unscored`), with what it cost."""
        line = {
            "judge_version": self._version, "pair": pair.hex(),
            "scores": dict(scores) if scores else None, "microusd": microusd, **facts,
        }  # fmt: skip
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self.microusd += microusd
        self.used[pair] = self.used.get(pair, NOTHING_USED).plus(_usage(line))
        if scores:
            self.scored[pair] = scores

    def close(self) -> None:
        """Close it."""
        self._file.close()


def _usage(found: Mapping[str, Any]) -> Usage:
    """Return the tokens of a line; those of earlier versions tell fewer."""
    return Usage(*(found.get(f"{name}_tokens", 0) for name in Usage._fields))


def _read(line: bytes) -> Mapping[str, Any] | None:
    """Return a line's content; None where it is no verdict."""
    try:
        found = orjson.loads(line)
        bytes.fromhex(found["pair"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    known = isinstance(found.get("microusd"), int) and isinstance(found.get("judge_version"), str)
    return found if known else None
