"""Strict JSON decoding of untrusted bytes, one record at a time.

Accepted: an array, an object or JSON Lines, UTF-8 (a byte order mark is skipped), plain or gzip.
RefusedFile, each with its own code: invalid UTF-8, NaN and Infinity, numbers too large for a double
(5,000-digit integers), duplicate keys at any depth, lone surrogates, nesting, size and record count
over the limits. Nothing but `RefusedFile` is raised; what is wrong with single records is added to
the caller's `Problems`.

Records are decoded with orjson, which refuses all of these but duplicate keys; those show as more
colons in the text than keys in the result, and only then a slower decoder looks for their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.scanning import Bounds, Buffer, Layout
from medvid.benchmark.shapes import TEXT_FIELDS
from medvid.benchmark.splitting import split
from medvid.benchmark.unpacking import RefusedFile, unpack

__all__ = ["GROUND_TRUTH_LIMITS", "SUBMISSION_LIMITS", "UNDECODABLE", "Document", "Element",
           "Limits", "RefusedFile", "decode"]  # fmt: skip

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. Sizes in bytes.

    `keys` counts the keys of all objects in the file: finding duplicates takes a look at each.
    """

    unpacked_bytes: int = 64 * MIB
    record_bytes: int = 1 * MIB
    records: int = 50_000
    depth: int = 20
    keys: int = 2_000_000
    prediction_bytes: int = 64 * KIB
    id_bytes: int = 256


SUBMISSION_LIMITS: Final = Limits()
GROUND_TRUTH_LIMITS: Final = Limits(
    unpacked_bytes=512 * MIB, record_bytes=64 * MIB, records=1_000_000, depth=50, keys=100_000_000
)
"""Ground truth comes from the operator; these only catch mistakes."""

NAN_FIX: Final = (
    "NaN often marks a sample without an answer: leave such records out, or run 'medvid convert "
    "FILE --failed skip -o predictions.json.gz' ('--failed empty' keeps them as empty texts)."
)
_FINITE_FIX: Final = "Write a finite number, or leave the value out where it is not known."
_ANSWERS: Final = frozenset(TEXT_FIELDS)
"""Fields of which NaN means that a sample was not answered."""
_FIELD_BEFORE: Final = re.compile(r'"([^"\\]{1,60})"\s{0,9}:[\s\[\-]{0,9}$')
_LONGEST_NAME: Final = 100

UNDECODABLE: Final = object()
"""Stands for the value of an element that could not be decoded; its problem is noted."""


@dataclass(slots=True)  # not frozen: that would double the cost of making one
class Element:
    """One element of the outermost container; `key` is its key where that is an object."""

    index: int
    path: str
    key: str | None
    value: object
    may_hold_nul: bool


class Document:
    """An unpacked, split document whose elements are decoded one after the other."""

    def __init__(self, data: Buffer, layout: Layout, limits: Limits) -> None:
        self.content = data
        self.layout = layout
        self._limits = limits

    def __len__(self) -> int:
        """Return the number of elements."""
        return len(self.layout.starts)

    def elements(self, problems: Problems) -> Iterator[Element]:
        """Yield every element in file order, noting what is wrong with its JSON."""
        is_object = self.layout.kind == "object"
        escaped_nul = self.content.find(b"\\u0000") >= 0
        seen: set[str] = set()
        bounds = zip(self.layout.starts, self.layout.ends, self.layout.keys, strict=True)
        for index, (start, end, keys) in enumerate(bounds):
            path = f"$[{index}]"
            value = self._decode(start, end, keys, path, problems)
            key = None
            if is_object and isinstance(value, dict):
                key, value = next(iter(value.items()))
                path = f"$[{shown(key)}]"
                if key in seen and not problems.counted(Code.DUPLICATE_KEY):
                    problems.add(_duplicate(path, key), "")
                seen.add(key)
            nul = escaped_nul and self.content.find(b"\\u0000", start, end) >= 0
            yield Element(index, path, key, value, nul)

    def _decode(self, start: int, end: int, keys: int, path: str, problems: Problems) -> object:
        if end - start > self._limits.record_bytes:
            if not problems.counted(Code.RECORD_TOO_LARGE):
                limit = self._limits.record_bytes
                problems.add(_record_too_large(path, end - start, limit), "")
            return UNDECODABLE
        text = bytes(memoryview(self.content)[start:end])
        if not text.strip():
            problems.add(_invalid_json(path, f"nothing before byte {end}", end), "")
            return UNDECODABLE
        if self.layout.kind == "object":
            text = b"{" + text + b"}"
            start -= 1
        try:
            value: object = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return self._undecodable(error, text, start, path, problems)
        if (
            keys != (len(value) if type(value) is dict else 0)
            and keys != _count_keys(value)
            and not problems.counted(Code.DUPLICATE_KEY)
        ):
            # Not where nobody will read the name: the search costs more than decoding.
            problems.add(_duplicate(path, _duplicate_key(text)), "")
        return value

    def _undecodable(
        self, error: orjson.JSONDecodeError, text: bytes, start: int, path: str, problems: Problems
    ) -> object:
        """Note why `text`, which begins at byte `start`, is no JSON."""
        code, field = _reason(error)
        if not problems.counted(code, field):
            line = 0
            if self.layout.kind == "lines":
                line = self.content.count(b"\n", 0, start) + 1
            problems.add(_explain(error, code, _Place(path, start, line, field), text), field)
        return UNDECODABLE


def decode(data: bytes, limits: Limits) -> Document:
    """Unpack and split a JSON document. Raises `RefusedFile` where it cannot be read as a whole."""
    content = unpack(data, limits.unpacked_bytes)
    layout = split(content, Bounds(limits.depth, limits.records, limits.keys))
    return Document(content, layout, limits)


def _count_keys(value: object) -> int:
    """Count the keys of all objects in a decoded value; iterative, as this is the hot path."""
    total, pending = 0, [value]
    while pending:
        part = pending.pop()
        if type(part) is dict:
            total += len(part)
            pending.extend(part.values())
        elif type(part) is list:
            pending.extend(part)
    return total


def _duplicate_key(text: bytes) -> str:
    """Return the first key that one object of a valid document names twice."""
    found: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found.append(key)
            seen.add(key)

    json.loads(text, object_pairs_hook=note, parse_int=float)
    return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text stands: the record's path, its first byte, its line in JSON Lines (else 0)."""

    path: str
    start: int
    line: int
    field: str

    def at(self, offset: int) -> str:
        """Return a byte's place as people find it."""
        return f"line {self.line:,}, byte {offset}" if self.line else f"byte {offset}"


def _reason(error: orjson.JSONDecodeError) -> tuple[Code, str]:
    """Return the code of a decoder's refusal, and the field in question where it is known."""
    if not error.doc:  # what it gives for a text that it could not decode
        return Code.INVALID_UTF8, ""
    rest = error.doc[error.pos : error.pos + 20]
    if rest.lstrip("-").startswith(("NaN", "Inf")):
        name = _FIELD_BEFORE.search(error.doc, max(error.pos - _LONGEST_NAME, 0), error.pos)
        return Code.NON_FINITE_NUMBER, f".{name[1]}" if name else ""
    if "infinity" in error.msg:
        return Code.NUMBER_OUT_OF_RANGE, ""
    if "surrogate" in error.msg:
        return Code.LONE_SURROGATE, ""
    return Code.INVALID_JSON, ""


def _explain(error: orjson.JSONDecodeError, code: Code, place: _Place, text: bytes) -> Problem:
    """Turn a decoder's refusal into a problem."""
    path = place.path + place.field
    if code is Code.INVALID_UTF8:
        return _invalid_utf8(text, path, place)
    offset = place.start + len(error.doc[: error.pos].encode())
    where = place.at(offset)
    rest = error.doc[error.pos : error.pos + 20]
    found = f"{shown(rest)} at {where}" if rest else f"the end of the text at {where}"
    if code is Code.NON_FINITE_NUMBER:
        answer = place.field[1:] in _ANSWERS
        return Problem(code, path, found, "a text or a finite number",
                       NAN_FIX if answer else _FINITE_FIX)  # fmt: skip
    if code is Code.NUMBER_OUT_OF_RANGE:
        return Problem(code, path, found, "a number below 1.8e308",
                       "Write long digit strings as text, in quotes.")  # fmt: skip
    if code is Code.LONE_SURROGATE:
        return Problem(code, path, found, "whole characters",
            'Clean the text first (Python: text.encode("utf-8", "replace").decode()).',
        )  # fmt: skip
    return _invalid_json(path, f"{found} ({error.msg})", offset, place.line)


def _invalid_utf8(text: bytes, path: str, place: _Place) -> Problem:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 4].hex(" ")
        offset = place.start + error.start
    return Problem(
        Code.INVALID_UTF8,
        path,
        f"bytes {found} at {place.at(offset)}",
        "UTF-8 text",
        'Save the file as UTF-8 (Python: open(..., "w", encoding="utf-8")).',
    )


def _invalid_json(path: str, found: str, offset: int, line: int = 0) -> Problem:
    where = f"line {line:,}: one whole record on each" if line else f"the text near byte {offset}"
    return Problem(
        Code.INVALID_JSON, path, found, "valid JSON",
        f"Correct {where}; json.dump writes and escapes it correctly.",
    )  # fmt: skip


def _duplicate(path: str, key: str) -> Problem:
    return Problem(
        Code.DUPLICATE_KEY, path, f"key {shown(key)} twice", "each key once in an object",
        "Remove one of the two: readers disagree about which of them counts.",
    )  # fmt: skip


def _record_too_large(path: str, size: int, limit: int) -> Problem:
    return Problem(
        Code.RECORD_TOO_LARGE, path, f"{size:,} bytes", f"at most {limit:,} bytes a record",
        "Upload only id, qa_type and prediction of each record.",
    )  # fmt: skip
