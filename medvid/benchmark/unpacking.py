"""Unpacking uploads: gzip or plain bytes, within a byte budget."""

from __future__ import annotations

import re
import zlib
from typing import Final

from medvid.benchmark.report import Code, Problem

GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_GZIP_MEMBERS: Final = 10_000
"""Bounds the cost of files made of empty members (a block-gzipped 64 MiB file has about 1,000)."""
LARGEST_PUBLIC_FILE: Final = 64 << 20
"""Bytes of a test set that a server publishes, unpacked."""
_INPUT_BYTES: Final = 1 << 14
_OUTPUT_BYTES: Final = 1 << 20
_ZEROS: Final = re.compile(rb"\0*")
_GZIP_WINDOW: Final = 31  # zlib's maximum window, with a gzip header and trailer required


class RefusedFile(Exception):
    """The file as a whole cannot be read; carries the one problem that says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def unpack(data: bytes, limit: int) -> bytes | bytearray:
    """Return the content of `data`, unpacked if it is gzip (several members are allowed).

    Never holds more than `limit` bytes plus one block. Raises `Refused` where the content exceeds
    `limit` bytes, or the gzip stream is damaged, cut short or followed by something else.
    """
    if len(data) > limit:
        raise too_large(limit)
    if data[:2] != GZIP_MAGIC:
        return data
    return _gunzip(data, limit)


def too_large(limit: int) -> RefusedFile:
    """Return the refusal of a file over `limit` bytes."""
    return RefusedFile(
        Problem(
            Code.FILE_TOO_LARGE,
            "$",
            f"more than {limit:,} bytes",
            f"at most {limit:,} bytes after unpacking",
            "Upload only id, qa_type and prediction of each record.",
        )
    )


def _gunzip(data: bytes, limit: int) -> bytearray:
    unpacked, position = bytearray(), 0
    for _ in range(MAX_GZIP_MEMBERS):
        position = _unpack_member(data, position, unpacked, limit)
        padding = _ZEROS.match(data, position)  # tape blocks: gzip tools ignore zeros too
        position = padding.end() if padding else position
        if position == len(data):
            return unpacked
        if data[position : position + 2] != GZIP_MAGIC:
            raise _damaged(f"other bytes after the gzip stream, at byte {position}")
    raise _damaged(f"more than {MAX_GZIP_MEMBERS:,} gzip members")


def _unpack_member(data: bytes, position: int, unpacked: bytearray, limit: int) -> int:
    """Append one member's content; return the offset behind it.

    Input goes in small pieces, because zlib copies what a call leaves over.
    """
    member = zlib.decompressobj(_GZIP_WINDOW)
    while not member.eof:
        chunk = member.unconsumed_tail
        if not chunk:
            chunk = data[position : position + _INPUT_BYTES]
            position += len(chunk)
        try:
            piece = member.decompress(chunk, _OUTPUT_BYTES)
        except zlib.error as error:
            raise _damaged(f"damaged data before byte {position} ({error})") from None
        if not chunk and not piece and not member.eof:
            raise _damaged("the end of the file inside the gzip stream")
        unpacked += piece
        if len(unpacked) > limit:
            raise too_large(limit)
    return position - len(member.unused_data)


def _damaged(found: str) -> RefusedFile:
    return RefusedFile(
        Problem(
            Code.BAD_GZIP,
            "$",
            found,
            "one complete gzip stream, or plain JSON",
            "Compress the file again (gzip -t FILE checks it) and upload it as binary.",
        )
    )
