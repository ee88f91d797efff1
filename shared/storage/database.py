"""The pool, and the one kind of transaction all consumers use: inbox row, result, outbox row."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from shared.contracts.messages import Envelope, Message
from shared.runtime.authorities import check_authority, check_certificate
from shared.runtime.errors import PERCENT_ENCODED, Misconfigured, Transient, Unavailable
from shared.runtime.metrics import SYSTEM
from shared.runtime.tracing import current_trace, is_recording
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)
_TRIES: Final = 5
T = TypeVar("T")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

# What Postgres or the network says when trying again may help.
TRANSIENT_ERRORS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
    OSError,
)


CHECK_URL: Final = "Check MEDVID_DATABASE_URL and that the server runs."
_COMMAND_SECONDS: Final = 20
"""A server that left unseen answers nothing: its connection counts as lost by then."""
_WHEN_WE_VANISH: Final = {
    # A process whose machine or network is gone still holds its locks. Another one that takes over
    # its work waits for them, and must not do so for the two hours that TCP takes by default.
    "idle_in_transaction_session_timeout": "20s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
}


class AlreadySeen(Exception):
    """This consumer committed the work of this message before."""


@dataclass(slots=True)
class Transaction:
    """An open transaction. What is emitted becomes visible with its commit, or not at all."""

    connection: Connection
    correlation_id: UUID | None = None
    emitted: int = field(default=0, init=False)

    async def emit(self, message: Message) -> UUID:
        """Write a message to the outbox; returns its id."""
        trace = current_trace()
        envelope = Envelope.wrap(
            message,
            correlation_id=self.correlation_id or (trace.correlation_id if trace else None),
            # Only where spans are recorded: readers of the first version know no such field.
            traceparent=trace.traceparent if trace and is_recording() else None,
        )
        await self.connection.execute(
            _SQL["outbox_add"], envelope.id, envelope.type, envelope.to_bytes()
        )
        self.emitted += 1
        return envelope.id


class CountingPool(asyncpg.Pool):
    """A pool that counts the callers who wait for a connection."""

    waiting = 0

    async def _acquire(self, timeout: float | None) -> PoolConnectionProxy:  # noqa: ASYNC109 - theirs
        self.waiting += 1
        try:
            # The stubs leave out the one place through which every caller comes.
            held: PoolConnectionProxy = await super()._acquire(timeout)  # type: ignore[misc]
        finally:
            self.waiting -= 1
        return held


class Database:
    """A pool of connections and the transactions made of them."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.pool = pool
        self._wake: list[Callable[[], None]] = []

    def on_commit_with_messages(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit that put messages into the outbox (the relay's hint)."""
        self._wake.append(wake)

    @asynccontextmanager
    async def transaction(
        self, *, correlation_id: UUID | None = None
    ) -> AsyncIterator[Transaction]:
        """Open a transaction; commits on leaving, rolls back on an exception."""
        async with self.pool.acquire() as connection, connection.transaction():
            transaction = Transaction(connection, correlation_id)
            yield transaction
        if transaction.emitted:
            for wake in self._wake:
                wake()

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[Connection]:
        """Open reads that all see one moment, whatever is committed between them.

        Raises Transient.
        """
        async with (
            transient_errors(),
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def once(self, consumer: str, envelope: Envelope) -> AsyncIterator[Transaction]:
        """Open the transaction that does a message's work exactly once.

        Raises AlreadySeen when this consumer has committed this message before; a rival at work on
        it now is waited for.
        """
        async with self.transaction(correlation_id=envelope.correlation_id) as transaction:
            status = await transaction.connection.execute(_SQL["inbox_add"], consumer, envelope.id)
            if status == "INSERT 0 0":
                raise AlreadySeen
            yield transaction

    async def has_seen(self, consumer: str, envelope: Envelope) -> bool:
        """Return whether the message's work is committed (to skip costly work before `once`)."""
        return bool(await self.pool.fetchval(_SQL["inbox_has"], consumer, envelope.id))

    async def check(self) -> None:
        """Return when the database answers; raises Unavailable otherwise."""
        try:
            async with asyncio.timeout(5):
                await self.pool.fetchval("SELECT 1")
        except TRANSIENT_ERRORS as error:
            raise Unavailable(f"the database does not answer: {error}") from error


@asynccontextmanager
async def connect(
    url: str, *, size: int, application_name: str, fix: str = CHECK_URL
) -> AsyncIterator[Database]:
    """Open a pool of at most `size` connections.

    Raises Unavailable when the server does not answer (yet), Misconfigured when it refuses us; both
    carry `fix`.
    """
    _check_files(url)
    try:
        pool = await CountingPool(
            url,
            min_size=1,
            max_size=size,
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            setup=None,
            init=None,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            timeout=10,
            command_timeout=_COMMAND_SECONDS,
            server_settings={"application_name": application_name, "jit": "off", **_WHEN_WE_VANISH},
        )
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(
            f"cannot connect to Postgres: {error.verify_message}.",
            fix="Name the authority that signed its certificate (sslrootcert or PGSSLROOTCERT) and "
            "the host as the certificate does.",
        ) from error
    except asyncpg.ClientConfigurationError as error:  # transient by its kind, and yet it stays
        raise Misconfigured(f"cannot connect to Postgres: {error}.", fix=fix) from error
    except TRANSIENT_ERRORS as error:
        raise Unavailable(f"cannot connect to Postgres: {error}.", fix=fix) from error
    except asyncpg.PostgresError as error:
        raise Misconfigured(f"cannot connect to Postgres: {error}.", fix=fix) from error
    except ValueError as error:  # its text may have a part of the password
        raise _no_url() from error
    SYSTEM.pools.add(pool)
    try:
        yield Database(pool)
    finally:
        try:
            async with asyncio.timeout(10):
                await pool.close()
        except TimeoutError:
            _log.warning("database_pool_terminated")
            pool.terminate()


def _no_url() -> Misconfigured:
    return Misconfigured(
        "the URL of Postgres is not valid.",
        fix="Set MEDVID_DATABASE_URL to postgresql://user:password@host:5432/name. "
        f"{PERCENT_ENCODED}",
    )


def _check_files(url: str) -> None:
    """Raise Misconfigured for files of certificates that cannot be used, and for what is no URL.

    The library says of both what says as well that a server is not there yet.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _no_url() from error
    if not parts.scheme:
        raise _no_url()
    named = dict(parse_qsl(parts.query))

    def given(name: str) -> str | None:
        return named.get(name) or os.environ.get(f"PG{name.upper()}") or None

    if authority := given("sslrootcert"):
        check_authority(authority, "sslrootcert of the database")
    if certificate := given("sslcert"):
        passphrase = named.get("sslpassword", "")
        check_certificate(certificate, given("sslkey"), passphrase, "sslcert of the database")


@asynccontextmanager
async def transient_errors() -> AsyncIterator[None]:
    """Turn what may pass by itself into Transient."""
    try:
        yield
    except TRANSIENT_ERRORS as error:
        raise Transient(f"database: {type(error).__name__}: {error}") from error


async def again_on_deadlock(work: Callable[[], Awaitable[T]]) -> T:
    """Do a transaction again that met one with another order of locks; raises Transient at last.

    A new version takes over from the one before it under the board's lock, which comes last where
    an entry is changed.
    """
    for _ in range(_TRIES - 1):
        try:
            return await work()
        except Transient as error:
            if not isinstance(error.__cause__, asyncpg.DeadlockDetectedError):
                raise
    return await work()
