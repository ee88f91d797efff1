"""The HTTP server itself: its connections, and what it answers to bytes that are no request."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong

from services.gateway.web import problems
from services.gateway.web.endpoints import Handle
from services.gateway.web.middleware import ErrorPage, logged_address, problem_response
from services.gateway.web.representations import SERVER
from services.gateway.web.security import API_HEADERS, PAGE_HEADERS
from services.gateway.web.urls import FOR_PROGRAMS, inside
from shared.runtime.errors import Misconfigured
from shared.runtime.listening import Door, host_and_port, open_door, serve_at

# Where the kernel can: an answer that the client does not take is dropped after these milliseconds.
_UNTAKEN: Final = (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 18), 60_000)
LINGER_SECONDS: Final = 2.0
"""A refused upload's rest is read this long, so that its sender gets to see the refusal."""
_BEGINNING: Final = 200
"""Bytes of a head that tell who asks."""
_BROWSERS: Final = re.compile(r"(GET|POST) (?P<path>/[^ ?]*)")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may cost: seconds for its first request's head and between requests."""

    head_seconds: float = 10
    idle_seconds: float = 75
    open: int = 4_000
    """Beyond this many, the one that is idle longest makes room for a new one."""


class Runner(web.AppRunner):
    """Runs an application inside what `around` puts around its handling of requests.

    Requests that are malformed get problem documents, not the library's text.
    """

    def __init__(
        self,
        app: web.Application,
        around: Callable[[Handle], Handle],
        *,
        lingering_seconds: float = LINGER_SECONDS,
        drain_seconds: float,
        error_page: ErrorPage,
        limits: ConnectionLimits = ConnectionLimits(),
    ) -> None:
        self._around = around
        self._error_page = error_page
        self._limits = limits
        # Bodies are taken as they come: an unpacking layer below us would be a gzip bomb's door.
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "lingering_time": lingering_seconds,
            "keepalive_timeout": limits.idle_seconds,
        }
        super().__init__(app, handle_signals=False, shutdown_timeout=drain_seconds, **self._options)

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        handle = cast(Handle, plain.request_handler)
        return _Server(
            cast(Any, self._around(handle)),
            self._limits,
            self._error_page,
            request_factory=lambda message, *rest: plain.request_factory(_inside(message), *rest),
            **self._options,
        )


def _inside(message: RawRequestMessage) -> RawRequestMessage:
    """Return a request's head with its address as the routes know it."""
    path = message.url.raw_path
    known = inside(path)
    if known == path:
        return message
    address = message.url.with_path(known, encoded=True, keep_query=True)
    return message._replace(path=inside(message.path), url=address)


class _Server(web.Server):
    def __init__(
        self, handle: Any, limits: ConnectionLimits, error_page: ErrorPage, **options: Any
    ) -> None:
        super().__init__(handle, **options)
        self.limits = limits
        self.error_page = error_page

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def make_room(self) -> None:
        """Where too many connections are open, close the one that is idle longest."""
        if len(self._connections) <= self.limits.open:
            return
        idle = [each for each in self._connections if isinstance(each, _Connection) and each.idle]
        if idle:
            min(idle, key=lambda each: each.idle_until).force_close()


class _Connection(web.RequestHandler):
    __slots__ = ("_begun", "_head_timer")
    _head_timer: asyncio.TimerHandle
    _begun: bytes
    """How a head begins that is no whole one yet: who asks is read from it if it never is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and give up a connection whose first request does not come in time.

        The library has no limit there; between requests it has one, which is for a slow head too.
        """
        server = cast(_Server, self._manager)
        self._begun = b""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(server.limits.head_seconds, self._give_up_head)
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(*_UNTAKEN)
        server.make_room()

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        if self._current_request is None:
            self._begun += data[: _BEGINNING - len(self._begun)]
        super().data_received(data)
        if self._messages and isinstance(self._messages[-1][0], RawRequestMessage):
            self._begun = b""

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def _give_up_head(self) -> None:
        if self._request_count == 0:
            self.force_close()

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def idle_until(self) -> float:
        """When it is closed unless a request comes, by the loop's clock."""
        return self._next_keepalive_close_time

    def close(self) -> None:
        """Take no further requests.

        The library drops all bytes that arrive after this, also the rest of a body that a handler
        waits for, which would hold up every shutdown during an upload. So the body comes in first.
        """
        request = self._current_request
        if request is not None:
            request.content.on_eof(super().close)
        elif self._messages:  # read, but its handler has yet to begin
            self._messages[-1][1].on_eof(super().close)
        else:
            super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - theirs
        """End the connection; a body that still arrives is let in first, as in `close`."""
        request = self._current_request
        deadline = self._loop.time() + (timeout or 0)
        while (  # noqa: ASYNC110 - an end without an event: the sender may leave
            request is not None
            and self._current_request is request
            and not request.content.is_eof()
            and self._loop.time() < deadline
        ):
            await asyncio.sleep(0.02)
        await super().shutdown(timeout)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the library's words, not ours
    ) -> web.StreamResponse:
        """Answer for a request that never reached the application."""
        request_id = secrets.token_hex(8)
        if isinstance(exc, LineTooLong):
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if status >= 500:
            where = logged_address(request)
            _log.error("request_failed", request_id=request_id, **where, exc_info=exc)
            problem = problems.internal(request_id)
        else:
            _log.info("request_malformed", request_id=request_id, error=type(exc).__name__)
            problem = problems.of_status(status, request_id)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        for_people = asks_for_page(self._begun)
        page = cast(_Server, self._manager).error_page if for_people else None
        response = problem_response(problem, page)
        safe = PAGE_HEADERS if for_people else API_HEADERS
        response.headers.update({"Server": SERVER, "X-Request-ID": request_id, **safe})
        response.force_close()
        return response


def open_public_door(host: str, port: int) -> Door:
    """Listen at the gateway's address; raises Misconfigured."""
    try:
        return open_door(host, port)
    except OSError as error:
        raise Misconfigured(
            f"cannot serve on {host_and_port(host, port)}: {error}.",
            fix="Set MEDVID_PORT to a free port, or to 0 for any.",
        ) from error


@asynccontextmanager
async def serving(runner: Runner, door: Door) -> AsyncIterator[None]:
    """Serve until left, then finish the requests at work."""
    await runner.setup()
    try:
        await serve_at(runner, door)
        host, port = runner.addresses[0][:2]
        _log.info("gateway_listens", url=f"http://{host_and_port(host, port)}/")
        yield
    finally:
        await runner.cleanup()


def asks_for_page(head: bytes) -> bool:
    """Tell whether a head that cannot be read, by its first bytes, asks for what people read."""
    found = _BROWSERS.match(head.decode("ascii", "replace"))
    return found is not None and not inside(found["path"]).startswith(FOR_PROGRAMS)
