"""A Unix socket that leads to a Postgres over TLS, for programs that know no TLS.

The programs of the embedded Postgres were built without it, so `pg_dump` could not reach a server
that asks for it. They speak with the socket; from here on everything is encrypted, and the server's
certificate is checked as `sslmode` says. Source: "SSL Session Encryption" in Postgres' manual of
its protocol.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from shared.runtime.errors import Misconfigured, Unavailable

_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_SECONDS: Final = 10
_CHUNK: Final = 1 << 16
_PORT: Final = 5432


@dataclass(frozen=True, slots=True)
class SecuredAddress:
    """A host that is reached over TLS, and how its certificate is checked."""

    host: str
    port: int
    context: ssl.SSLContext

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str]) -> SecuredAddress | None:
        """Return where a URL leads; None where it asks for no TLS. Raises OSError."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        mode = query.get("sslmode") or environment.get("PGSSLMODE") or ""
        if not parts.hostname or mode not in ("require", "verify-ca", "verify-full"):
            return None
        authority = query.get("sslrootcert") or environment.get("PGSSLROOTCERT") or None
        context = ssl.create_default_context(cafile=authority)
        context.check_hostname = mode == "verify-full"
        if mode == "require" and authority is None:
            context.verify_mode = ssl.CERT_NONE
        certificate = query.get("sslcert") or environment.get("PGSSLCERT")
        if certificate:
            context.load_cert_chain(certificate, query.get("sslkey") or environment.get("PGSSLKEY"))
        return cls(parts.hostname, parts.port or _PORT, context)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; raises OSError, of which SSLError is one."""
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                await self._encrypt(reader, writer)
            except BaseException:
                writer.close()
                raise
        return reader, writer

    async def _encrypt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_SSL_REQUEST)
        if await reader.readexactly(1) != b"S":
            raise ConnectionError(f"{self.host} takes no TLS")
        await writer.start_tls(self.context, server_hostname=self.host)


@asynccontextmanager
async def reached_plainly(url: str, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Give a URL by which a program without TLS reaches the same server.

    Raises Misconfigured where the certificate is not believed, Unavailable where nobody answers.
    """
    try:
        address = SecuredAddress.of(url, environment)
        if address is None:
            yield url
            return
        (
            _,
            tried,
        ) = await address.open()  # raises here what is wrong, which a closed connection would hide
        tried.close()
    except ssl.SSLError as error:
        raise Misconfigured(f"cannot connect to Postgres: {error}.") from error
    except (OSError, EOFError) as error:
        raise Unavailable(f"cannot connect to Postgres: {error}.") from error
    with tempfile.TemporaryDirectory(prefix="medvid-") as folder:  # for our user alone
        path = Path(folder) / f".s.PGSQL.{_PORT}"
        tasks: set[asyncio.Task[None]] = set()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(_lead(address, reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_unix_server(accepted, path)
        try:
            yield _through(url, folder)
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _through(url: str, folder: str) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    query = [(key, value) for key, value in parse_qsl(parts.query) if not key.startswith("ssl")]
    query += [("host", folder), ("port", str(_PORT)), ("sslmode", "disable")]
    netloc = f"{user}@" if user else ""
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))


async def _lead(
    address: SecuredAddress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Carry one connection until either side ends it."""
    try:
        far_reader, far_writer = await address.open()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, far_writer))
                both.create_task(_carry(far_reader, writer))
        finally:
            far_writer.close()
    finally:
        writer.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
    target.close()
