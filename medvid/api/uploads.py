"""A form with a file that streams from disk, of known length, so that progress can be shown."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from medvid.api.errors import LeaderboardError

CHUNK_BYTES: Final = 256 * 1024

Progress = Callable[[int, int], None]
"""Gets bytes sent and bytes in all; from the start again when the upload is repeated."""


class UnreadableFile(LeaderboardError):
    """A file cannot be read or written."""

    code = "unusable_file"


@dataclass(frozen=True, slots=True)
class MultipartForm:
    """A multipart/form-data body: text fields, then the file as the field `file`."""

    fields: Mapping[str, str]
    file: Path | bytes
    progress: Progress | None = None
    boundary: str = field(default_factory=lambda: f"medvid-{secrets.token_hex(16)}")

    @property
    def content_type(self) -> str:
        """The header that goes with the body."""
        return f"multipart/form-data; boundary={self.boundary}"

    @asynccontextmanager
    async def body(self) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Open the file; gives the body's length in bytes and its chunks. Raises UnreadableFile.

        The file is closed here, as nobody ends a generator whose connection was lost.
        """
        with await self._opened() as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            total = len(self._head()) + size + len(self._tail())
            yield total, self._chunks(file, total)

    async def _opened(self) -> BinaryIO:
        if isinstance(self.file, bytes):
            return BytesIO(self.file)
        try:
            return await asyncio.to_thread(self.file.open, "rb")
        except OSError as error:
            raise _unreadable(self.file, error) from None

    async def _chunks(self, file: BinaryIO, total: int) -> AsyncIterator[bytes]:
        """Yield the body; raises UnreadableFile when the file changed its size."""
        sent = 0
        async for chunk in self._content(file):
            sent += len(chunk)
            if sent > total:
                raise _changed(self.file)
            yield chunk
            if self.progress is not None:
                self.progress(sent, total)
        if sent != total:
            raise _changed(self.file)

    async def _content(self, file: BinaryIO) -> AsyncIterator[bytes]:
        yield self._head()
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
        yield self._tail()

    def _head(self) -> bytes:
        parts = [
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self.fields.items()
        ]
        # The server does not use file names, so none is sent.
        parts.append(
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="file"; '
            'filename="predictions"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        return "".join(parts).encode()

    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()


def _unreadable(file: Path, error: OSError) -> UnreadableFile:
    return UnreadableFile(
        f"cannot read {file}: {error.strerror or error}.", fix="Check the path and its permissions."
    )


def _changed(file: object) -> UnreadableFile:
    return UnreadableFile(
        f"{file} changed while it was sent.", fix="Wait until it is written, then send it again."
    )
