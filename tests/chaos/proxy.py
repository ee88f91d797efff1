"""A TCP proxy that can hold up, cut and reset what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Self

from tests.processes import LOOPBACK

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
_CHUNK: Final = 1 << 16
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Link:
    """A client's connection and ours to the server behind it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared while nothing passes."""

    def reset(self) -> None:
        for writer in (self.client, self.server):
            connection = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                if connection.family != socket.AF_UNIX:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


class FaultProxy:
    """Listens on a loopback port; passes everything on until told otherwise."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = self._stalled = False
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Reset every connection; new ones pass."""
        for link in list(self._links):
            link.reset()

    def refuse(self) -> None:
        """Reset every connection, new ones too, until `heal`."""
        self._refusing = True
        self.reset()

    def stall(self) -> None:
        """Hold every byte of every connection, new ones too, until `heal`."""
        self._stalled = True
        for link in self._links:
            link.open.clear()

    def half_open(self) -> None:
        """Let the server leave unseen: open connections stay open, and nothing ever comes."""
        for link in self._links:
            link.open.clear()
            link.server.transport.abort()
        self._links.clear()

    def heal(self) -> None:
        """Pass everything on again, also what was held."""
        self._refusing = self._stalled = False
        for link in self._links:
            link.open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._refusing:
            _Link(writer, writer).reset()
            return
        try:
            from_server, to_server = await self._dial()
        except OSError:
            _Link(writer, writer).reset()
            return
        link = _Link(writer, to_server)
        if not self._stalled:
            link.open.set()
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(link, reader, to_server))
                pumps.create_task(_pump(link, from_server, writer))
        finally:
            self._links.discard(link)
            for end in (writer, to_server):
                end.transport.abort()


async def _pump(link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on in one direction until either side ends."""
    try:
        while chunk := await reader.read(_CHUNK):
            await link.open.wait()
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass  # one side was killed: the other hears of it
    await link.open.wait()
    writer.close()
