"""Finding the records of JSON Lines: one record a line, blank lines between them allowed.

A raw line break cannot stand inside a JSON string, so a broken line never reaches into the next:
strings and nesting begin anew on every line, and each broken one can be named by its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from medvid.benchmark import scanning
from medvid.benchmark.report import Code
from medvid.benchmark.scanning import Bounds, Buffer, Layout, Scanner, too_deep, too_many
from medvid.benchmark.unpacking import RefusedFile

_NEWLINE: Final = 6
_DEPTH_CHANGES: Final = np.array([0, 0, 1, -1, 0, 0, 0], np.int32)
_BLANK: Final = np.zeros(256, bool)
_BLANK[list(b" \t\r\n")] = True
_LINES_LOOKED_AT: Final = 5
_LOOKED_AT: Final = 1 << 20
"""A longer line is not decoded only to find out what the file is."""


def seem_to_begin(data: Buffer, first: int) -> bool:
    """Whether a document that is no JSON value of its own is one of lines with an object each.

    Its first lines decide: one of two is an object, or all begin as one does.
    """
    begin = list(islice(_lines(data, first), _LINES_LOOKED_AT))
    if len(begin) == 1:
        return False
    return all(data[start : start + 2] == b'{"' for start, _ in begin) or any(
        _is_object(data, start, end) for start, end in begin[:2]
    )


def _is_object(data: Buffer, start: int, end: int) -> bool:
    if end - start > _LOOKED_AT:
        return data[start] in b"{" and bytes(data[end - 2 : end]).rstrip()[-1:] == b"}"
    try:
        return isinstance(orjson.loads(data[start:end]), dict)
    except orjson.JSONDecodeError:
        return False


def _lines(data: Buffer, first: int) -> Iterator[tuple[int, int]]:
    """Yield where the lines with content begin and end."""
    start = scanning.skip_white_space(data, first)
    while start < len(data):
        found = data.find(b"\n", start)
        end = len(data) if found < 0 else found
        yield start, end
        start = scanning.skip_white_space(data, end)


def split(data: Buffer, first: int, bounds: Bounds) -> Layout:
    """Split lines into records. Time is linear, memory bounded by a block or the longest line.

    Raises `RefusedFile` for what exceeds the bounds: those of the same records in an array.
    """
    splitter = _Splitter(bounds)
    view = np.frombuffer(data, np.uint8)
    start = first
    while (start := scanning.skip_white_space(data, start)) < len(data):
        end = min(start + scanning.BLOCK_BYTES, len(data))
        if end < len(data):
            last = data.rfind(b"\n", start, end)
            if last < 0:  # one line is longer than a block
                found = data.find(b"\n", end)
                end = len(data) if found < 0 else found + 1
                splitter.long_line(view, start, end)
                start = end
                continue
            end = last + 1
        splitter.whole_lines(view[start:end], start)
        start = end
    del view  # releases the export, so that a bytearray can be resized again
    return Layout("lines", splitter.starts, splitter.ends, splitter.keys)


class _Splitter:
    """Collects the records."""

    def __init__(self, bounds: Bounds) -> None:
        # In an array every record is one deeper.
        self.bounds = Bounds(bounds.depth - 1, bounds.elements, bounds.keys)
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.keys: list[int] = []
        self.total_keys = 0

    def whole_lines(self, block: NDArray[np.uint8], offset: int) -> None:
        """Note the records of some whole lines."""
        breaks = block == ord("\n")
        breaks[:-1] &= ~breaks[1:]  # of a run of breaks the last one does
        ends = np.flatnonzero(breaks)
        if not ends.size or int(ends[-1]) != len(block) - 1:
            ends = np.append(ends, len(block))
        starts = np.concatenate(([0], ends[:-1] + 1))
        content = np.concatenate(([0], np.cumsum(~_BLANK[block], dtype=np.int64)))
        keys = self._keys(block, ends, offset)
        filled = content[ends] > content[starts]
        self._take(starts[filled] + offset, ends[filled] + offset, keys[filled])

    def long_line(self, view: NDArray[np.uint8], start: int, end: int) -> None:
        """Note the record of one line, block by block."""
        size = scanning.BLOCK_BYTES
        scanner = Scanner(start, self.bounds)
        filled = False
        for offset in range(start, end, size):
            block = view[offset : min(offset + size, end)]
            filled = filled or not _BLANK[block].all()
            scanner.block(block, offset)
            if scanner.end is not None:
                break
        if filled:
            self._take(np.array([start]), np.array([end]), np.array([scanner.colons]))

    def _keys(
        self, block: NDArray[np.uint8], ends: NDArray[np.int64], offset: int
    ) -> NDArray[np.int64]:
        """Return the number of object keys of each line; refuse what is nested too deeply."""
        plain = scanning.without_escaped(block)
        classes = scanning.CLASSES[plain]
        classes[ends[ends < len(block)]] = _NEWLINE  # also behind a backslash
        positions = np.flatnonzero(classes)
        kinds = classes[positions]
        line = np.cumsum(kinds == _NEWLINE, dtype=np.int64) - (kinds == _NEWLINE)
        quotes = np.cumsum(kinds == scanning.QUOTE, dtype=np.int64)
        inside = (quotes - _before(quotes, kinds)) & 1
        outside = (inside == 0) & (kinds != scanning.QUOTE)
        depths = np.cumsum(np.where(outside, _DEPTH_CHANGES[kinds], 0), dtype=np.int64)
        depths -= _before(depths, kinds)
        if depths.size and int(depths.max()) > self.bounds.depth:
            place = int(positions[np.argmax(depths > self.bounds.depth)])
            raise RefusedFile(too_deep(offset + place, self.bounds.depth))
        colons = line[outside & (kinds == scanning.COLON)]
        return np.bincount(colons, minlength=len(ends))[: len(ends)]

    def _take(
        self, starts: NDArray[np.int64], ends: NDArray[np.int64], keys: NDArray[np.int64]
    ) -> None:
        if len(self.starts) + len(starts) > self.bounds.elements:
            raise RefusedFile(too_many(Code.TOO_MANY_RECORDS, self.bounds.elements, "records"))
        self.total_keys += int(keys.sum())
        if self.total_keys > self.bounds.keys:
            raise RefusedFile(too_many(Code.TOO_MANY_KEYS, self.bounds.keys, "object keys"))
        self.starts += starts.tolist()
        self.ends += ends.tolist()
        self.keys += keys.tolist()


def _before(counts: NDArray[np.int64], kinds: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return what the running counts were when each one's line began."""
    breaks = np.where(kinds == _NEWLINE, np.arange(len(kinds)), -1)
    last = np.maximum.accumulate(breaks)
    return np.where(last < 0, 0, counts[last])
