"""A reader that asks the same again as soon as it has the answer, over open connections."""

from __future__ import annotations

import asyncio
from typing import Final, cast
from urllib.parse import urlsplit

_LENGTH: Final = b"Content-Length: "


class _Asker(asyncio.Protocol):
    """Counts answers; an answer ends where its length says."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._head = b""
        self._missing = 0
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            head, ended, body = self._head.partition(b"\r\n\r\n")
            if not ended:
                return
            length = head.split(_LENGTH, 1)[1].split(b"\r\n", 1)[0]
            self._missing = int(length) - len(body)
            self._head = b""
        if not self._missing:
            self.answers += 1
            self._transport.write(self._request)


async def read_load(address: str, path: str, seconds: float, connections: int = 16) -> int:
    """Read `path` for so long over so many connections; return how many answers came."""
    parts = urlsplit(address)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Asker(request), parts.hostname, parts.port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in opened:
        transport.abort()
    return sum(asker.answers for _, asker in opened)
