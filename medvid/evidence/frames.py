"""Several small files in one: a plain tar archive (POSIX ustar), of which there is one spelling.

Anyone can unpack it. Reading it trusts nothing: names are of a list, nothing is written to disk,
nothing is unpacked beyond the archive's own size, and any byte that is not as we write it is an
error.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from typing import Final

from medvid.evidence.canonical import BadEvidence

LARGEST: Final = 256 << 20
"""Bytes of an archive: a board of 100,000 entries takes half of it."""
_BLOCK: Final = 512
_NAME: Final = slice(0, 100)
_SIZE: Final = slice(124, 136)
END: Final = bytes(2 * _BLOCK)


def frame(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of files, in their order."""
    return b"".join([*(framed(name, content) for name, content in files.items()), END])


def framed(name: str, content: bytes) -> bytes:
    """Return one file's part of an archive, which `END` ends."""
    return b"".join([_header(name, len(content)), content, bytes(-len(content) % _BLOCK)])


def unframe(data: bytes, names: Sequence[str] | None, largest: int = LARGEST) -> dict[str, bytes]:
    """Return the files of an archive; raises BadEvidence.

    `names` are those that there may be, in their order; None where the caller looks at them.
    """
    if len(data) > largest:
        raise BadEvidence(f"it is larger than {largest >> 20} MiB.")
    files: dict[str, bytes] = {}
    allowed = None if names is None else iter(names)
    at = 0
    while data[at : at + _BLOCK].strip(b"\0"):
        name, size = _read_header(data[at : at + _BLOCK], at)
        # Takes from the iterator: so each once, and in order.
        if name in files or (allowed is not None and name not in allowed):
            raise BadEvidence(f"the file {name[:40]!r} at byte {at} has no place here.")
        begin, end = at + _BLOCK, at + _BLOCK + size
        if end > len(data):
            raise BadEvidence(f"it is cut off within {name}.")
        files[name] = data[begin:end]
        at = end + (-size % _BLOCK)
        if data[end:at].strip(b"\0"):
            raise BadEvidence(f"the bytes behind {name}, from {end} on, are not zero.")
    if data[at:] != END:
        raise BadEvidence(f"it does not end as it should, from byte {at} on.")
    return files


def _header(name: str, size: int) -> bytes:
    found = tarfile.TarInfo(name)
    found.size = size
    return found.tobuf(tarfile.USTAR_FORMAT)


def _read_header(block: bytes, at: int) -> tuple[str, int]:
    try:
        name = block[_NAME].rstrip(b"\0").decode("ascii")
        size = int(block[_SIZE].rstrip(b"\0"), 8)
        is_canonical = size >= 0 and _header(name, size) == block
    except (ValueError, OverflowError):
        is_canonical = False
    if not is_canonical:
        raise BadEvidence(f"byte {at} begins no file as this format writes it.")
    return name, size
