"""The file of records: one JSON line a call's end, so that a run which is killed goes on.

The first line holds the settings that an answer depends on; a run with others is refused. Each line
is one write and reaches the disk before the next sample is taken. A line that a crash cut short is
dropped when the file is opened again. A lock keeps a second run out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson

VERSION: Final = 1
_VERSION_FIELD: Final = "medvid_predict"


class UnusableRecords(ValueError):
    """The file of records belongs to another run; the text says what differs."""


class CallStatus(StrEnum):
    """How a sample's last call ended."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    """Answered, but cut off by the limit of tokens."""
    FAILED = "failed"
    """Not answered: asked again by the next run."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """The end of one sample's call. `seconds` with repetitions; `detail` says why it failed."""

    index: int
    id: str
    qa_type: str
    status: CallStatus
    prediction: str = ""
    max_tokens: int = 0
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    detail: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether there is a prediction, perhaps a truncated or an empty one."""
        return self.status is not CallStatus.FAILED

    def is_final(self, max_tokens: int) -> bool:
        """Whether a run with this limit of tokens need not ask again."""
        if self.status is CallStatus.TRUNCATED:
            return self.max_tokens >= max_tokens
        return self.is_answered


class Records:
    """What is known of each sample, by its index; the last line about a sample counts."""

    def __init__(self, file: int, known: Mapping[int, CallRecord]) -> None:
        self._file = file
        self.by_index = dict(known)

    def add(self, record: CallRecord) -> None:
        """Write a record to the disk, then know it."""
        os.write(self._file, orjson.dumps(asdict(record), option=orjson.OPT_APPEND_NEWLINE))
        os.fsync(self._file)
        self.by_index[record.index] = record


@contextmanager
def open_records(path: Path, settings: Mapping[str, Any]) -> Iterator[Records]:
    """Open the file, or begin it; raises UnusableRecords where it belongs to another run."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        _lock(file, path)
        lines = _whole_lines(file)
        if lines:
            _check(lines[0], settings, path)
        else:
            header = {_VERSION_FIELD: VERSION, "settings": settings}
            os.write(file, orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE))
        yield Records(file, {record.index: record for record in _read(lines[1:], path)})
    finally:
        os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UnusableRecords(f"Another run writes {path}: wait for it, or stop it.") from None


def _whole_lines(file: int) -> list[bytes]:
    """Return the complete lines, and cut off what follows the last of them."""
    with os.fdopen(os.dup(file), "rb") as reader:
        reader.seek(0)
        content = reader.read()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.ftruncate(file, end)
    return content[:end].splitlines()


def _check(line: bytes, settings: Mapping[str, Any], path: Path) -> None:
    try:
        header = orjson.loads(line)
        version, made_with = header[_VERSION_FIELD], header["settings"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise UnusableRecords(f"{path} is no file of records: choose another --records.") from None
    if version != VERSION:
        raise UnusableRecords(f"{path} was written by another version: choose another --records.")
    plain = orjson.loads(orjson.dumps(settings))
    differing = [key for key in {**made_with, **plain} if made_with.get(key) != plain.get(key)]
    if differing:
        key = differing[0]
        raise UnusableRecords(
            f"{path} was made with other settings ({', '.join(differing)}; the first was "
            f"{made_with.get(key)!r}, now {plain.get(key)!r}). Choose another --out or --records, "
            "or remove the file to ask everything again."
        )


def _read(lines: Iterable[bytes], path: Path) -> Iterator[CallRecord]:
    for number, line in enumerate(lines, 2):
        try:
            read = orjson.loads(line)
            yield CallRecord(**{**read, "status": CallStatus(read["status"])})
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise UnusableRecords(
                f"Line {number} of {path} cannot be read: remove it to continue without it."
            ) from None
