"""Finding the records of a JSON document without building its objects.

One numpy pass over the bytes, a block at a time, follows strings and nesting and notes the commas
of the outermost array or object. Each record can then be decoded alone, so that 64 MiB of hostile
JSON never become objects all at once, and depth and record limits hold before any is built.

The pass checks only what splitting needs; each record's own syntax is checked when it is decoded.
Where the document is broken inside a record, the split before that record is right, so the first
error found is the first error of the document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.benchmark.report import Code, Problem
from shared.benchmark.unpacking import Refused

BLOCK_BYTES: Final = 1 << 18
"""Small enough that a block's index arrays stay in the processor's cache."""

_QUOTE, _OPEN, _CLOSE, _COMMA, _COLON = 1, 2, 3, 4, 5
_CLASSES: Final = np.zeros(256, np.uint8)
for _characters, _kind in (
    (b'"', _QUOTE), (b"[{", _OPEN), (b"]}", _CLOSE), (b",", _COMMA), (b":", _COLON),
):  # fmt: skip
    _CLASSES[list(_characters)] = _kind
_DEPTH_CHANGES: Final = np.array([0, 0, 1, -1, 0, 0], np.int32)
_BACKSLASH: Final = ord("\\")
_WHITE_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_BOM: Final = b"\xef\xbb\xbf"

Buffer = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a document's elements lie.

    `ends[i]` is the offset of the comma or bracket behind element i, `starts[i]` the offset of its
    first byte (white space included), `keys[i]` the number of colons outside strings in it, which
    is the number of object keys at all depths.
    """

    kind: Literal["array", "object"]
    starts: list[int]
    ends: list[int]
    keys: list[int]


def scan(data: Buffer, *, max_depth: int, max_elements: int, max_keys: int) -> Layout:
    """Split a JSON array or object into its elements. Time is linear, memory bounded by a block.

    A UTF-8 byte order mark is skipped (Windows editors write one). Raises `Refused` for an empty
    document, one that is neither array nor object, nesting over `max_depth`, more than
    `max_elements` elements or `max_keys` object keys, a document that ends early or has something
    behind its end.
    """
    first = _skip_white_space(data, len(_BOM) if data[:3] == _BOM else 0)
    if first == len(data):
        raise Refused(_empty())
    opening = data[first]
    if opening not in b"[{":
        raise Refused(_not_a_container(data, first))
    scanner = _Scanner(first, max_depth, max_elements, max_keys)
    view = np.frombuffer(data, np.uint8)
    for offset in range(first, len(data), BLOCK_BYTES):
        scanner.block(view[offset : offset + BLOCK_BYTES], offset)
        if scanner.end is not None:
            break
    del view  # releases the export, so that a bytearray can be resized again
    if scanner.end is None:
        raise Refused(_ends_early(data, scanner))
    _check_end(data, first, scanner.end)
    return scanner.layout("array" if opening == ord("[") else "object", data)


class _Scanner:
    """The state that a block hands to the next."""

    def __init__(self, first: int, max_depth: int, max_elements: int, max_keys: int) -> None:
        self.first = first
        self.max_depth = max_depth
        self.max_elements = max_elements
        self.max_keys = max_keys
        self.in_string = 0
        self.escape_pending = False
        self.depth = 0
        self.colons = 0
        self.commas: list[int] = []
        self.colons_before: list[int] = []
        self.end: int | None = None

    def block(self, block: NDArray[np.uint8], offset: int) -> None:
        """Follow strings and depth through one block; note the commas at depth 1."""
        block = self._without_escaped(block)
        classes = _CLASSES[block]
        positions = np.flatnonzero(classes)
        if not positions.size:
            return
        kinds = classes[positions]
        quotes = kinds == _QUOTE
        inside = (np.cumsum(quotes, dtype=np.uint8) + np.uint8(self.in_string)) & np.uint8(1)
        self.in_string = int(inside[-1])
        structural = (inside == 0) & ~quotes
        positions, kinds = positions[structural], kinds[structural]
        if not positions.size:
            return
        depths = np.cumsum(_DEPTH_CHANGES[kinds], dtype=np.int32) + np.int32(self.depth)
        self._note(positions, kinds, depths, offset)

    def layout(self, kind: Literal["array", "object"], data: Buffer) -> Layout:
        """Return the elements between the commas; an empty container has none."""
        end = self.end if self.end is not None else len(data)
        starts = [self.first + 1, *(comma + 1 for comma in self.commas)]
        ends = [*self.commas, end]
        before = [0, *self.colons_before, self.colons]
        keys = [late - early for early, late in pairwise(before)]
        if len(starts) == 1 and _skip_white_space(data, starts[0]) == end:
            return Layout(kind, [], [], [])
        return Layout(kind, starts, ends, keys)

    def _without_escaped(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the block with every character behind an odd run of backslashes blanked."""
        slashes = np.flatnonzero(block == _BACKSLASH)
        if not slashes.size and not self.escape_pending:
            return block
        length = len(block)
        if self.escape_pending:  # the block before ended in an odd run, which escapes byte 0
            block = block.copy()
            block[0] = ord(" ")
            slashes = slashes[slashes != 0]
        begins = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
        sizes = np.diff(begins, append=len(slashes))
        behind = (slashes[begins] + sizes)[sizes % 2 == 1]
        self.escape_pending = bool(behind.size and behind[-1] == length)
        blanked = block.copy()
        blanked[behind[behind < length]] = ord(" ")
        return blanked

    def _note(
        self,
        positions: NDArray[np.int64],
        kinds: NDArray[np.uint8],
        depths: NDArray[np.int32],
        offset: int,
    ) -> None:
        closed = np.flatnonzero(depths <= 0)
        if closed.size:
            stop = int(closed[0])
            self.end = offset + int(positions[stop])
            positions, kinds, depths = positions[:stop], kinds[:stop], depths[:stop]
        if positions.size and int(depths.max()) > self.max_depth:
            too_deep = int(positions[np.argmax(depths > self.max_depth)])
            raise Refused(_too_deep(offset + too_deep, self.max_depth))
        colons = np.cumsum(kinds == _COLON)
        commas = np.flatnonzero((kinds == _COMMA) & (depths == 1))
        self.commas += (positions[commas] + offset).tolist()
        self.colons_before += (colons[commas] + self.colons).tolist()
        if len(self.commas) >= self.max_elements:
            raise Refused(_too_many(Code.TOO_MANY_RECORDS, self.max_elements, "records"))
        if positions.size:
            self.colons += int(colons[-1])
            if self.colons > self.max_keys:
                raise Refused(_too_many(Code.TOO_MANY_KEYS, self.max_keys, "object keys"))
            self.depth = int(depths[-1])


def _skip_white_space(data: Buffer, offset: int) -> int:
    match = _WHITE_SPACE.match(data, offset)
    return match.end() if match else offset


def _check_end(data: Buffer, first: int, end: int) -> None:
    opening, closing = chr(data[first]), chr(data[end])
    if opening + closing not in ("[]", "{}"):
        raise Refused(
            _invalid(end, f"'{closing}' at byte {end}", f"the end of what '{opening}' began")
        )
    rest = _skip_white_space(data, end + 1)
    if rest < len(data):
        raise Refused(_trailing(data, rest))


def _empty() -> Problem:
    return Problem(
        Code.EMPTY_FILE, "$", "no content", "a JSON array of records", "Upload the right file."
    )


def _not_a_container(data: Buffer, first: int) -> Problem:
    start = bytes(data[first : first + 20])
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Problem(
            Code.INVALID_UTF8, "$", "a UTF-16 byte order mark", "UTF-8 text",
            'Save the file as UTF-8 (Python: open(..., "w", encoding="utf-8")).',
        )  # fmt: skip
    known = {b"PK\x03\x04": "a ZIP archive", b"BZh": "bzip2 data", b"\xfd7zXZ": "xz data"}
    found = next((name for magic, name in known.items() if start.startswith(magic)), None)
    return Problem(
        Code.WRONG_SHAPE,
        "$",
        found or f"{start!r} at byte {first}",
        "a JSON array of records (plain or gzip)",
        "Write the list of records with json.dump; use gzip, not another archive."
        if found
        else "Write the list of records itself with json.dump.",
    )


def _ends_early(data: Buffer, scanner: _Scanner) -> Problem:
    inside = "a string" if scanner.in_string else f"nesting depth {scanner.depth}"
    return Problem(
        Code.INVALID_JSON,
        f"$[{len(scanner.commas)}]",
        f"the end of the file at byte {len(data)}, inside {inside}",
        "a complete JSON document",
        "Write and upload the file again: it was cut short, or a quote or bracket is missing.",
    )


def _too_deep(offset: int, limit: int) -> Problem:
    return Problem(
        Code.NESTED_TOO_DEEP,
        "$",
        f"depth {limit + 1} at byte {offset}",
        f"nesting of at most {limit}",
        "Upload only id, qa_type and prediction of each record; they need depth 2.",
    )


def _too_many(code: Code, limit: int, things: str) -> Problem:
    return Problem(
        code,
        "$",
        f"more than {limit:,} {things}",
        f"at most {limit:,} {things}",
        "Upload one record for each sample, with only id, qa_type and prediction.",
    )


def _trailing(data: Buffer, rest: int) -> Problem:
    lines = data[rest : rest + 1] == b"{"
    return Problem(
        Code.TRAILING_DATA,
        "$",
        f"{bytes(data[rest : rest + 20])!r} at byte {rest}, behind the end",
        "one JSON document",
        "This looks like JSON Lines: put the records into one array, [record, record, …]."
        if lines
        else "Remove what follows the closing bracket.",
    )


def _invalid(offset: int, found: str, expected: str) -> Problem:
    return Problem(Code.INVALID_JSON, "$", found, expected, f"Correct the JSON near byte {offset}.")
