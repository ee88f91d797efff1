"""Strict JSON decoding of untrusted bytes, one record at a time.

Accepted: UTF-8 (a byte order mark is skipped), plain or gzip. Refused, each with its own code:
invalid UTF-8, NaN and Infinity, numbers too large for a double (5,000-digit integers), duplicate
keys at any depth, lone surrogates, nesting, size and record count over the limits. Nothing but
`Refused` is raised; what is wrong with single records is added to the caller's `Problems`.

Records are decoded with orjson, which refuses all of these but duplicate keys; those show as more
colons in the text than keys in the result, and only then a slower decoder looks for their names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from shared.benchmark.report import Code, Problem, Problems, shown
from shared.benchmark.scanning import Buffer, Layout, scan
from shared.benchmark.unpacking import Refused, unpack

__all__ = ["GROUND_TRUTH_LIMITS", "SUBMISSION_LIMITS", "UNDECODABLE", "Document", "Element",
           "Limits", "Refused", "decode"]  # fmt: skip

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
                if key in seen:
                    problems.add(_duplicate(path, key))
                seen.add(key)
            nul = escaped_nul and self.content.find(b"\\u0000", start, end) >= 0
            yield Element(index, path, key, value, nul)

    def _decode(self, start: int, end: int, keys: int, path: str, problems: Problems) -> object:
        if end - start > self._limits.record_bytes:
            problems.add(_record_too_large(path, end - start, self._limits.record_bytes))
            return UNDECODABLE
        text = bytes(memoryview(self.content)[start:end])
        if not text.strip():
            problems.add(_invalid_json(path, f"nothing before byte {end}", end))
            return UNDECODABLE
        if self.layout.kind == "object":
            text = b"{" + text + b"}"
            start -= 1
        try:
            value: object = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            problems.add(_explain(error, text, path, start))
            return UNDECODABLE
        if keys != (len(value) if type(value) is dict else 0) and keys != _count_keys(value):
            # Only counted where nobody will read the name: the search costs more than decoding.
            problems.add(_duplicate(path, "" if problems.full else _duplicate_key(text)))
        return value


def decode(data: bytes, limits: Limits) -> Document:
    """Unpack and split a JSON document. Raises `Refused` where it cannot be read as a whole."""
    content = unpack(data, limits.unpacked_bytes)
    layout = scan(
        content, max_depth=limits.depth, max_elements=limits.records, max_keys=limits.keys
    )
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


def _explain(error: orjson.JSONDecodeError, text: bytes, path: str, start: int) -> Problem:
    """Turn a decoder's refusal of `text`, which begins at byte `start`, into a problem."""
    try:
        characters = text.decode()
    except UnicodeDecodeError as invalid:
        return _invalid_utf8(invalid, path, start)
    offset = start + len(characters[: error.pos].encode())
    rest = characters[error.pos : error.pos + 20]
    where = f"{shown(rest)} at byte {offset}"
    if rest.lstrip("-").startswith(("NaN", "Inf")):
        return Problem(
            Code.NON_FINITE_NUMBER, path, where, "a finite number",
            "Write null, or leave the field out (Python: json.dump(..., allow_nan=False)).",
        )  # fmt: skip
    if "infinity" in error.msg:
        return Problem(
            Code.NUMBER_OUT_OF_RANGE, path, where, "a number below 1.8e308",
            "Write long digit strings as text, in quotes.",
        )  # fmt: skip
    if "surrogate" in error.msg:
        return Problem(
            Code.LONE_SURROGATE, path, where, "whole characters",
            'Clean the text first (Python: text.encode("utf-8", "replace").decode()).',
        )  # fmt: skip
    return _invalid_json(path, f"{where} ({error.msg})", offset)


def _invalid_utf8(error: UnicodeDecodeError, path: str, start: int) -> Problem:
    found = error.object[error.start : error.start + 4]
    return Problem(
        Code.INVALID_UTF8,
        path,
        f"bytes {found.hex(' ')} at byte {start + error.start}",
        "UTF-8 text",
        'Save the file as UTF-8 (Python: open(..., "w", encoding="utf-8")).',
    )


def _invalid_json(path: str, found: str, offset: int) -> Problem:
    return Problem(
        Code.INVALID_JSON, path, found, "valid JSON",
        f"Correct the text near byte {offset}; json.dump writes and escapes it correctly.",
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
