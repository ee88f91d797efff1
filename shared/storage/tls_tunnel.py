"""A Unix socket that leads to a Postgres over TLS, for programs that know no TLS.

The programs of the embedded Postgres were built without it, so `pg_dump` could not reach a server
that asks for it. They speak with the socket; from here on everything is encrypted, and the server's
certificate is checked as the pool's own connections check it. Source: "SSL Session Encryption" in
Postgres' manual of its protocol.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.runtime.errors import Misconfigured, Unavailable

_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_HEAD: Final = struct.Struct("!ci")
_AUTHENTICATION: Final = b"R"
_ERROR: Final = b"E"
_SASL: Final = struct.pack("!i", 10)
_SECONDS: Final = 10
_CHUNK: Final = 1 << 16
_PORT: Final = 5432


@dataclass(frozen=True, slots=True)
class SecuredAddress:
    """A host that is reached over TLS, and how its certificate is checked."""

    host: str
    port: int
    context: ssl.SSLContext
    optional: bool = False
    """Whether a server that takes no TLS is reached without (`sslmode=prefer`)."""
    asked: bool = True
    """Whether the server is asked first whether it takes TLS (`sslnegotiation=postgres`)."""

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; raises OSError, of which SSLError is one."""
        async with asyncio.timeout(_SECONDS):
            plain = await self._connected()
            try:
                if self.asked:
                    await self._ask(plain)
                return await asyncio.open_connection(
                    sock=plain, ssl=self.context, server_hostname=self.host
                )
            except BaseException:
                plain.close()
                raise

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        failed: OSError = ConnectionError(f"{self.host} has no address")
        found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            plain = socket.socket(family, kind, protocol)
            plain.setblocking(False)
            try:
                await loop.sock_connect(plain, address)
            except BaseException as error:
                plain.close()
                if not isinstance(error, OSError):
                    raise
                failed = error
            else:
                return plain
        raise failed

    async def _ask(self, plain: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(plain, _SSL_REQUEST)
        # One byte and no more: what somebody on the way puts behind it is read as a part of the
        # handshake, which fails by it, and not as an answer of the server (CVE-2021-23222).
        if await loop.sock_recv(plain, 1) != b"S":
            raise _TakesNone(f"{self.host} takes no TLS")


class _TakesNone(ConnectionError):
    pass


@asynccontextmanager
async def tunnel(address: SecuredAddress) -> AsyncIterator[tuple[str, int]]:
    """Give host (a socket's folder) and port by which a program without TLS reaches the server.

    Raises Misconfigured where the certificate is not believed, Unavailable where nobody answers.
    """
    tried = None
    try:
        _, tried = await address.open()  # raises what is wrong, which a closed socket would hide
    except _TakesNone as error:
        if not address.optional:
            raise Unavailable(f"cannot connect to Postgres: {error}.") from error
    except ssl.SSLError as error:
        raise Misconfigured(f"cannot connect to Postgres: {error}.") from error
    except OSError as error:  # TimeoutError is one
        raise Unavailable(f"cannot connect to Postgres: {error}.") from error
    if tried is None:
        yield address.host, address.port
        return
    await _close(tried)
    with tempfile.TemporaryDirectory(prefix="medvid-") as folder:  # for our user alone
        path = Path(folder) / f".s.PGSQL.{_PORT}"
        tasks: set[asyncio.Task[None]] = set()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(_lead(address, reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_unix_server(accepted, path)
        try:
            yield folder, _PORT
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _lead(
    address: SecuredAddress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Carry one connection until either side ends it."""
    try:
        far_reader, far_writer = await address.open()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, far_writer))
                both.create_task(_answer(far_reader, writer))
        finally:
            await _close(far_writer)
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await writer.wait_closed()


async def _answer(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError, EOFError):
        await _ask_without_binding(source, target)
    await _carry(source, target)


async def _ask_without_binding(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass the server's answers on until it has asked for a password.

    It offers to bind that to the encryption, of which the program knows nothing: a library that is
    offered this on a plain connection suspects an attack and gives up.
    """
    kind = b""
    while kind not in (_AUTHENTICATION, _ERROR):
        kind, length = _HEAD.unpack(await source.readexactly(_HEAD.size))
        body = await source.readexactly(length - 4)
        if kind == _AUTHENTICATION and body.startswith(_SASL):
            body = body.replace(b"SCRAM-SHA-256-PLUS\0", b"")
        target.write(_HEAD.pack(kind, len(body) + 4) + body)
        await target.drain()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
    target.close()
