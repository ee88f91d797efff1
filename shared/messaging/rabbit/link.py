"""A connection to RabbitMQ that is dialled again when it was lost.

aio-pika's plain connections under our own recovery, not its robust ones: there is one way back to
work after any loss (dial, declare what is missing, consume), it starts within a fraction of a
second, it also restores queues that were deleted, and its state can be asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aio_pika import Connection
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPConnectionError,
    AuthenticationError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused
from yarl import URL

from shared.runtime.authorities import check_authority
from shared.runtime.errors import PERCENT_ENCODED, MedvidError, Misconfigured, Unavailable

_DIAL_SECONDS: Final = 10
_CLOSE_SECONDS: Final = 5
_HEARTBEAT_SECONDS: Final = 6
"""The library gives a broker up after three of them without a sign, each a second longer: 21 s."""
_log = structlog.get_logger(__name__)


def parse_url(text: str) -> URL:
    """Read a broker's URL; raises Misconfigured, which never repeats the text (passwords)."""
    fix = (
        "Set MEDVID_RABBITMQ_URL to amqp://user:password@host:5672/vhost (or amqps://). "
        f"{PERCENT_ENCODED}"
    )
    try:
        url = URL(text)
        valid = url.scheme in {"amqp", "amqps"} and bool(url.host)
    except ValueError:
        valid = False
    if not valid:
        raise Misconfigured("the URL of RabbitMQ is not valid.", fix=fix)
    if authority := url.query.get("cafile"):
        check_authority(authority, "MEDVID_RABBITMQ_URL: cafile")
    if "heartbeat" not in url.query:
        url = url.update_query(heartbeat=_HEARTBEAT_SECONDS)
    return url


class NoRight(Misconfigured):
    """The broker's user may not do this."""


@asynccontextmanager
async def broker_errors(doing: str) -> AsyncIterator[None]:
    """Turn whatever the client library raises into Unavailable, a missing right into NoRight.

    Among it are CancelledErrors of the library's own futures when a connection is lost. Those that
    cancel the running task pass through, also where the library raises another error in their
    place, as it does where the connection is lost at the same moment.
    """
    task = asyncio.current_task()
    cancels = task.cancelling() if task else 0
    try:
        yield
    except (asyncio.CancelledError, Exception) as error:
        if task and task.cancelling() > cancels:
            if isinstance(error, asyncio.CancelledError):
                raise
            raise asyncio.CancelledError from error
        ours = _as_ours(doing, error)
        if ours is None:
            raise
        raise ours from error


def _as_ours(doing: str, error: BaseException) -> MedvidError | None:
    match error:
        case asyncio.CancelledError():
            return Unavailable(f"RabbitMQ: {doing}: the connection was lost")
        case TimeoutError():
            return Unavailable(f"RabbitMQ: {doing}: no answer in time")
        case ChannelAccessRefused():
            return NoRight(
                f"RabbitMQ: {doing}: {describe(error)}.",
                fix="Give the user of MEDVID_RABBITMQ_URL this right "
                "(docs/operations.md#rabbitmq-rights).",
            )
    if isinstance(error, CONNECTION_EXCEPTIONS):
        return Unavailable(f"RabbitMQ: {doing}: {describe(error)}")
    return None


@contextlib.contextmanager
def nothing_to_configure() -> Iterator[None]:
    """Turn Misconfigured into Unavailable: what worked at the start is an outage now."""
    try:
        yield
    except Misconfigured as error:
        raise Unavailable(str(error)) from error


def describe(error: BaseException) -> str:
    """Return an error's type and text, which some of the library's errors leave empty."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class Link:
    """One connection, made when it is first needed and again after it was lost."""

    def __init__(self, url: URL, name: str) -> None:
        self._url = url
        self._name = name
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._closed = False

    async def open_channel(self, *, confirms: bool) -> AbstractChannel:
        """Open a channel, connecting first if need be.

        Raises Unavailable when it cannot, Misconfigured when trying again will not help.
        """
        connection = await self._connected()
        async with broker_errors("opening a channel"), asyncio.timeout(_DIAL_SECONDS):
            channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
            await channel.initialize()
            return channel

    async def is_blocked(self) -> bool:
        """Tell whether the broker blocks this connection's publishing (memory or disk alarm)."""
        if not self._alive() or self._connection is None or self._connection.transport is None:
            return False
        try:
            async with asyncio.timeout(0.01):  # returns at once unless blocked
                await self._connection.transport.ready()
        except TimeoutError:
            return True
        return False

    async def drop(self) -> None:
        """Close the connection; the next use dials anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await connection.close()

    async def close(self) -> None:
        """Close for good; idempotent."""
        self._closed = True
        await self.drop()

    async def _connected(self) -> Connection:
        async with self._lock:
            if self._closed:
                raise Unavailable("the bus is closed")
            if self._connection is None or not self._alive():
                await self.drop()
                self._connection = await self._dial()
            return self._connection

    def _alive(self) -> bool:
        transport = self._connection.transport if self._connection else None
        return transport is not None and not transport.connection.is_closed

    async def _dial(self) -> Connection:
        # Built here rather than by aio_pika.connect(), which leaves a failed one to its destructor.
        connection = Connection(self._url, client_properties={"connection_name": self._name})
        where = f"{self._url.host}:{self._url.port or self._url.scheme}"
        try:
            async with broker_errors(f"connecting to {where}"), asyncio.timeout(_DIAL_SECONDS):
                try:
                    await connection.connect()
                except (ProbableAuthenticationError, AuthenticationError) as error:
                    raise _refused(where, "the user or password") from error
                except InvalidFrameError as error:  # the library hides what the broker said
                    vhost = f"the virtual host {self._url.path[1:] or '/'!r}"
                    raise _refused(where, vhost) from error
                except AMQPConnectionError as error:
                    if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                        raise
                    raise Misconfigured(
                        f"RabbitMQ at {where}: {error.__cause__.verify_message}.",
                        fix="Name the authority that signed its certificate (?cafile=FILE) "
                        "and the host as the certificate does.",
                    ) from error
        except BaseException:
            await connection.close()
            raise
        _log.info("broker_connected", broker=where, connection=self._name)
        return connection


def _refused(where: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"RabbitMQ at {where} refuses {what}.", fix="Check MEDVID_RABBITMQ_URL and permissions."
    )


async def close_channel(channel: AbstractChannel | None) -> None:
    """Close a channel that may be lost already; what it held unsettled is delivered again."""
    if channel is None:
        return
    with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await channel.close()
