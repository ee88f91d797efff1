"""The lines of a provider's batch: requests as they are uploaded, answers as they are read.

The shapes are those of OpenAI's Batch API: JSON lines, tied together by a `custom_id`, in no order.
A line may come twice, in both files, or never; what it says is read as an answer online is.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from medvid.judging.calls import CallFailed, Completion
from medvid.judging.completions import read_completion
from medvid.judging.error_bodies import load_json
from medvid.judging.failures import read_failure
from medvid.judging.prompt import Form

MOST_LINES: Final = 50_000
MOST_BYTES: Final = 200 * 1000 * 1000
"""What one file may hold: https://platform.openai.com/docs/guides/batch, "Rate limits"."""
ADDRESS: Final = "/v1/chat/completions"
_NOT_ASKED: Final = ("batch_expired", "batch_cancelled")
"""So the provider calls lines that it did not come to, and does not bill."""


class LineKey(NamedTuple):
    """What a line asks about: a pair by the sha256 of its texts (32 bytes), and which repeat."""

    pair: bytes
    repeat: int

    @property
    def custom_id(self) -> str:
        """Return the line's name, of at most 64 letters, digits, dashes, underscores and a dot."""
        return f"{urlsafe_b64encode(self.pair).decode().rstrip('=')}.{self.repeat}"

    @classmethod
    def of(cls, custom_id: object) -> Self | None:
        """Return what a line's name says, None where it is no such name."""
        if not isinstance(custom_id, str):
            return None
        name, _, repeat = custom_id.rpartition(".")
        try:
            key = cls(urlsafe_b64decode(f"{name}="), int(repeat))
        except ValueError:
            return None
        return key if key.custom_id == custom_id else None


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file to upload, and what its lines ask about."""

    content: bytes
    keys: tuple[LineKey, ...]


def write_line(key: LineKey, body: Mapping[str, Any]) -> bytes:
    """Return a request as a line."""
    line = {"custom_id": key.custom_id, "method": "POST", "url": ADDRESS, "body": body}
    return json.dumps(line).encode() + b"\n"


def write_files(
    requests: Iterable[tuple[LineKey, Mapping[str, Any]]],
    *,
    most_lines: int = MOST_LINES,
    most_bytes: int = MOST_BYTES,
) -> Iterator[BatchFile]:
    """Yield files of the requests' lines, each within both limits.

    A line that is longer than `most_bytes` gets a file of its own, which the provider refuses.
    """
    content, keys = bytearray(), list[LineKey]()
    for key, body in requests:
        encoded = write_line(key, body)
        if keys and (len(keys) >= most_lines or len(content) + len(encoded) > most_bytes):
            yield BatchFile(bytes(content), tuple(keys))
            content, keys = bytearray(), []
        content += encoded
        keys.append(key)
    if keys:
        yield BatchFile(bytes(content), tuple(keys))


@dataclass(slots=True)
class BatchAnswers:
    """What came of a batch. Each key that was asked for is in one of the first three.

    `missing`: not asked by the provider, or its line was lost. `repeated` counts lines that came
    again, `strange` those that nobody asked for or nobody can read.
    """

    answered: dict[LineKey, Completion] = field(default_factory=dict)
    failed: dict[LineKey, CallFailed] = field(default_factory=dict)
    missing: set[LineKey] = field(default_factory=set)
    repeated: int = 0
    strange: int = 0


def read_files(
    files: Iterable[bytes], asked: Mapping[LineKey, str], form: Form, *, now: datetime
) -> BatchAnswers:
    """Return what output and error files say of the lines asked: their keys and sent texts.

    The first answer to a line counts, before any failure of it. A file may end amid a line.
    """
    answers = BatchAnswers()
    for content in files:
        for line in content.split(b"\n"):
            if line.strip():
                _read_line(line, asked, form, now, answers)
    answers.missing = set(asked) - answers.answered.keys() - answers.failed.keys()
    return answers


def count_lines(files: Iterable[bytes]) -> int:
    """Return how many whole lines output and error files have."""
    return sum(_json(line) is not None for content in files for line in content.split(b"\n"))


def _json(line: bytes) -> object:
    """Return what a line holds; None for one that is empty or cannot be read."""
    try:
        return load_json(line) if line.strip() else None
    except ValueError:
        return None


def _read_line(
    line: bytes, asked: Mapping[LineKey, str], form: Form, now: datetime, answers: BatchAnswers
) -> None:
    said = _json(line)
    key = LineKey.of(said.get("custom_id")) if isinstance(said, Mapping) else None
    if not isinstance(said, Mapping) or key is None or key not in asked:
        answers.strange += 1
        return
    answers.repeated += key in answers.answered or key in answers.failed
    if key in answers.answered:
        return
    try:
        completion = _answer(said, form, now, asked[key])
    except CallFailed as failure:
        answers.failed.setdefault(key, failure)
        return
    if completion is not None:
        answers.answered[key] = completion
        answers.failed.pop(key, None)


def _encoded(body: object) -> bytes:
    """Return a line's body as it comes online; raises CallFailed."""
    try:
        return json.dumps(body).encode()
    except RecursionError as error:
        detail = "the line's answer is nested too deeply"
        raise CallFailed("failing", "garbled", detail, maybe_billed=True) from error


def _status(response: Mapping[str, object], body: object) -> int | None:
    """Return a response's status, which some write as a text, or leave out where all is well."""
    said = response.get("status_code")
    if isinstance(said, int | str):
        try:
            return int(said)
        except ValueError:
            return None
    return 200 if said is None and isinstance(body, Mapping) and body.get("choices") else None


def _answer(line: Mapping[str, object], form: Form, now: datetime, sent: str) -> Completion | None:
    """Return a line's completion, None where it was not asked; raises CallFailed."""
    error, response = line.get("error"), line.get("response")
    if isinstance(error, Mapping) and error.get("code") in _NOT_ASKED:
        return None
    body = response.get("body") if isinstance(response, Mapping) else None
    status = _status(response, body) if isinstance(response, Mapping) else None
    if status is not None and body is not None:
        encoded = _encoded(body)
        if status < 300:
            return read_completion(encoded, {}, form, now=now, sent=sent)
        raise read_failure(status, encoded, {}, form, now=now, sent=sent)
    if error:
        raise read_failure(200, error, {}, form, now=now, sent=sent)
    detail = "the line holds neither an answer nor an error"
    raise CallFailed("failing", "garbled", detail, maybe_billed=True)
