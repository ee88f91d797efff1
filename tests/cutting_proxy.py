"""A loopback proxy that cuts connections where a test wants, as bad networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut one connection after so many bytes towards the server or back; None: never."""

    up: int | None = None
    down: int | None = None


@dataclass(slots=True)
class Proxy:
    """A running proxy; each new connection takes the next cut, later ones pass unharmed."""

    url: str
    cuts: list[Cut]
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_now(self) -> None:
        """Cut every connection that is open."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        cut = self.cuts.pop(0) if self.cuts else Cut()
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        ours = {writer, up_writer}
        self._open |= ours
        ways = [
            asyncio.create_task(_pass(reader, up_writer, cut.up)),
            asyncio.create_task(_pass(up_reader, writer, cut.down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for one in ours:
                one.transport.abort()
            self._open -= ours
            await asyncio.gather(*ways, return_exceptions=True)


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None
) -> None:
    passed = 0
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            passed += len(data)
            if limit is not None and passed >= limit:
                writer.write(data[: len(data) - (passed - limit)])
                await writer.drain()
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting_proxy(url: str, cuts: Iterable[Cut] = ()) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a server at `url`."""
    port = int(url.rpartition(":")[2])
    proxy = Proxy("", list(cuts))
    server = await asyncio.start_server(
        lambda reader, writer: proxy.serve(port, reader, writer), "127.0.0.1", 0
    )
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut_now()
        await server.wait_closed()
