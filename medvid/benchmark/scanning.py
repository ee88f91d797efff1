"""Finding the records of a JSON document without building its objects.

One numpy pass over the bytes, a block at a time, follows strings and nesting and notes the commas
of the outermost array or object. Each record can then be decoded alone, so that 64 MiB of hostile
JSON never become objects all at once, and depth and record limits hold before any is built.
JSON Lines, one record a line, are split by `medvid.benchmark.lines`.

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

from medvid.benchmark.report import Code, Problem, shown
from medvid.benchmark.unpacking import RefusedFile

BLOCK_BYTES: Final = 1 << 18
"""Small enough that a block's index arrays stay in the processor's cache."""

QUOTE, OPEN, CLOSE, COMMA, COLON = 1, 2, 3, 4, 5
CLASSES: Final = np.zeros(256, np.uint8)
for _characters, _kind in (
    (b'"', QUOTE), (b"[{", OPEN), (b"]}", CLOSE), (b",", COMMA), (b":", COLON),
):  # fmt: skip
    CLASSES[list(_characters)] = _kind
DEPTH_CHANGES: Final = np.array([0, 0, 1, -1, 0, 0], np.int32)
_BACKSLASH: Final = ord("\\")
_WHITE_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_BOM: Final = b"\xef\xbb\xbf"

Buffer = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a document's elements lie.

    `ends[i]` is the offset of the comma or bracket behind element i, `starts[i]` the offset of its
    first byte (white space included), `keys[i]` the number of colons outside strings in it, which
    is the number of object keys at all depths. In `lines`, `ends[i]` is the line's end.
    """

    kind: Literal["array", "object", "lines"]
    starts: list[int]
    ends: list[int]
    keys: list[int]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How deep, how many elements and how many object keys a document may have."""

    depth: int
    elements: int
    keys: int


def scan(data: Buffer, first: int, bounds: Bounds) -> Layout:
    """Split the array or object that begins at `first`. Time is linear, memory bounded by a block.

    Raises `RefusedFile` for what exceeds the bounds, ends early or has something behind its end.
    """
    scanner = Scanner(first, bounds)
    view = np.frombuffer(data, np.uint8)
    for offset in range(first, len(data), BLOCK_BYTES):
        scanner.block(view[offset : offset + BLOCK_BYTES], offset)
        if scanner.end is not None:
            break
    del view  # releases the export, so that a bytearray can be resized again
    if scanner.end is None:
        raise RefusedFile(_ends_early(data, scanner))
    _check_end(data, first, scanner.end)
    return scanner.layout("array" if data[first] == ord("[") else "object", data)


class Scanner:
    """The state that a block hands to the next."""

    def __init__(self, first: int, bounds: Bounds) -> None:
        self.first = first
        self.bounds = bounds
        self.in_string = 0
        self.escape_pending = False
        self.depth = 0
        self.colons = 0
        self.commas: list[int] = []
        self.colons_before: list[int] = []
        self.end: int | None = None

    def block(self, block: NDArray[np.uint8], offset: int) -> None:
        """Follow strings and depth through one block; note the commas at depth 1."""
        block, self.escape_pending = _blanked(block, self.escape_pending)
        classes = CLASSES[block]
        positions = np.flatnonzero(classes)
        if not positions.size:
            return
        kinds = classes[positions]
        quotes = kinds == QUOTE
        inside = (np.cumsum(quotes, dtype=np.uint8) + np.uint8(self.in_string)) & np.uint8(1)
        self.in_string = int(inside[-1])
        structural = (inside == 0) & ~quotes
        positions, kinds = positions[structural], kinds[structural]
        if not positions.size:
            return
        depths = np.cumsum(DEPTH_CHANGES[kinds], dtype=np.int32) + np.int32(self.depth)
        self._note(positions, kinds, depths, offset)

    def layout(self, kind: Literal["array", "object"], data: Buffer) -> Layout:
        """Return the elements between the commas; an empty container has none."""
        end = self.end if self.end is not None else len(data)
        starts = [self.first + 1, *(comma + 1 for comma in self.commas)]
        ends = [*self.commas, end]
        before = [0, *self.colons_before, self.colons]
        keys = [late - early for early, late in pairwise(before)]
        if len(starts) == 1 and skip_white_space(data, starts[0]) == end:
            return Layout(kind, [], [], [])
        return Layout(kind, starts, ends, keys)

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
        if positions.size and int(depths.max()) > self.bounds.depth:
            place = int(positions[np.argmax(depths > self.bounds.depth)])
            raise RefusedFile(too_deep(offset + place, self.bounds.depth))
        colons = np.cumsum(kinds == COLON)
        commas = np.flatnonzero((kinds == COMMA) & (depths == 1))
        self.commas += (positions[commas] + offset).tolist()
        self.colons_before += (colons[commas] + self.colons).tolist()
        if len(self.commas) >= self.bounds.elements:
            raise RefusedFile(too_many(Code.TOO_MANY_RECORDS, self.bounds.elements, "records"))
        if positions.size:
            self.colons += int(colons[-1])
            if self.colons > self.bounds.keys:
                raise RefusedFile(too_many(Code.TOO_MANY_KEYS, self.bounds.keys, "object keys"))
            self.depth = int(depths[-1])


def without_escaped(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return bytes with every character behind an odd run of backslashes blanked."""
    return _blanked(block, pending=False)[0]


def _blanked(block: NDArray[np.uint8], pending: bool) -> tuple[NDArray[np.uint8], bool]:
    """Return that, and whether the block ends in an odd run, which escapes what follows."""
    slashes = np.flatnonzero(block == _BACKSLASH)
    if not slashes.size and not pending:
        return block, False
    length = len(block)
    if pending:  # the block before ended in an odd run, which escapes byte 0
        block = block.copy()
        block[0] = ord(" ")
        slashes = slashes[slashes != 0]
    begins = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    sizes = np.diff(begins, append=len(slashes))
    behind = (slashes[begins] + sizes)[sizes % 2 == 1]
    blanked = block.copy()
    blanked[behind[behind < length]] = ord(" ")
    return blanked, bool(behind.size and behind[-1] == length)


def skip_white_space(data: Buffer, offset: int) -> int:
    """Return the offset of the next byte that is no JSON white space."""
    match = _WHITE_SPACE.match(data, offset)
    return match.end() if match else offset


def _check_end(data: Buffer, first: int, end: int) -> None:
    opening, closing = chr(data[first]), chr(data[end])
    if opening + closing not in ("[]", "{}"):
        raise RefusedFile(
            _invalid(end, f"{closing} at byte {end}", f"the end of what {opening} began")
        )
    rest = skip_white_space(data, end + 1)
    if rest < len(data):
        raise RefusedFile(_trailing(data, rest))


def _ends_early(data: Buffer, scanner: Scanner) -> Problem:
    inside = "a string" if scanner.in_string else f"nesting depth {scanner.depth}"
    return Problem(
        Code.INVALID_JSON,
        f"$[{len(scanner.commas)}]",
        f"the end of the file at byte {len(data)}, inside {inside}",
        "a complete JSON document",
        "Write and upload the file again: it was cut short, or a quote or bracket is missing.",
    )


def too_deep(offset: int, limit: int) -> Problem:
    """Return the problem of nesting over the limit."""
    return Problem(
        Code.NESTED_TOO_DEEP,
        "$",
        f"depth {limit + 1} at byte {offset}",
        f"nesting of at most {limit}",
        "Upload only id, qa_type and prediction of each record; they need depth 2.",
    )


def too_many(code: Code, limit: int, things: str) -> Problem:
    """Return the problem of more things than the limit."""
    return Problem(
        code,
        "$",
        f"more than {limit:,} {things}",
        f"at most {limit:,} {things}",
        "Upload one record for each sample, with only id, qa_type and prediction.",
    )


def _trailing(data: Buffer, rest: int) -> Problem:
    another = data[rest] in b"{["
    return Problem(
        Code.TRAILING_DATA,
        "$",
        f"{shown(bytes(data[rest : rest + 20]).decode(errors='replace'))} at byte {rest}, behind "
        "the end",
        "one JSON document, or one record a line",
        "Put all records into one array, [record, record, …], or write each on a line of its own."
        if another
        else "Remove what follows the closing bracket.",
    )


def _invalid(offset: int, found: str, expected: str) -> Problem:
    return Problem(Code.INVALID_JSON, "$", found, expected, f"Correct the JSON near byte {offset}.")
