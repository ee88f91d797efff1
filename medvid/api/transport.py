"""Calls over HTTP with aiohttp: timeouts, retries, errors of the network as LeaderboardError.

aiohttp is imported when the first call is made: the help of a command does not need it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from medvid.api.calls import Call, ServerReply, read, refused
from medvid.api.credentials import CODES, fix_of, sendable
from medvid.api.errors import (
    BadCredential,
    LeaderboardError,
    Refused,
    Unintelligible,
)
from medvid.api.network_errors import MOVED, misplaced, moved, network_error
from medvid.api.retries import Retries
from medvid.models.base import AnswerType, NumberedPage, Page

if TYPE_CHECKING:
    import aiohttp

_HEADERS: Final = {"Accept": "application/json", "User-Agent": "medvid-client/1"}

OnRetry = Callable[[LeaderboardError, float], None]
"""Gets the reason why a call is sent again, and in how many seconds."""

PageType = TypeVar("PageType", bound=Page)
NumberedPageType = TypeVar("NumberedPageType", bound=NumberedPage)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that things may take."""

    connect: float = 10.0
    read: float = 30.0
    """A whole answer to a call without a file; of a large one, how long nothing may come."""
    download: float = 300.0
    """A whole answer that may be large."""
    upload_silence: float = 120.0
    """How long nothing may come or go while a file is sent and checked."""
    event_silence: float = 45.0
    """How long an event stream may be silent; the server says something each 15 s."""


@dataclass(slots=True)
class Transport:
    """Sends calls to one server. It makes its session at the first call, inside a running loop."""

    url: str
    token: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    on_retry: OnRetry | None = None
    _session: aiohttp.ClientSession | None = None

    async def ask(self, call: Call, answer: type[AnswerType]) -> AnswerType:
        """Send a call and return its answer; raises LeaderboardError."""
        return await self.repeating(call, lambda reply: read(reply, answer))

    async def repeating(self, call: Call, use: Callable[[ServerReply], T]) -> T:
        """Send a call until `use` takes its answer, or trying on makes no sense."""
        attempt = 1
        while True:
            try:
                return use(await self._send(call))
            except LeaderboardError as error:
                wait = self.retries.wait(error, attempt, random.random) if call.repeatable else None
                if wait is None:
                    self._explain(error, call)
                    raise
                if self.on_retry is not None:
                    self.on_retry(error, wait)
            attempt += 1
            await asyncio.sleep(wait)

    async def pages(self, call: Call, page: type[PageType]) -> AsyncGenerator[PageType, None]:
        """Yield the pages of a list, each found by the cursor that the one before names."""
        while True:
            found = await self.ask(call, page)
            yield found
            if found.next_cursor is None:
                return
            call = replace(call, query={**call.query, "cursor": found.next_cursor})

    async def numbered_pages(
        self, call: Call, page: type[NumberedPageType]
    ) -> AsyncGenerator[NumberedPageType, None]:
        """Yield the pages of a list, from the first to the last."""
        number = 1
        while True:
            found = await self.ask(replace(call, query={**call.query, "page": str(number)}), page)
            yield found
            if found.page * found.page_size >= found.total:
                return
            number += 1

    async def pause(self, problem: LeaderboardError | None, failures: int) -> None:
        """Wait before a stream is opened again; raises its problem where that makes no sense."""
        wait = min(self.retries.longest_wait, 0.1 * 2.0**failures)  # ended in good order
        if problem is not None:
            named = self.retries.wait(problem, failures, random.random)
            if named is None:
                raise problem
            wait = named
        await asyncio.sleep(wait)

    async def _send(self, call: Call) -> ServerReply:
        async with self._open(call, self._timeout(call)) as response:
            body = await _whole(response, call.largest)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return ServerReply(response.status, headers, body)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that goes on; raises LeaderboardError, also while it is read."""
        import aiohttp

        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=self.timeouts.connect, sock_read=self.timeouts.event_silence
        )
        async with self._open(call, limits) as response:
            if response.status >= 400:
                headers = {name.lower(): value for name, value in response.headers.items()}
                error = refused(ServerReply(response.status, headers, await response.read()))
                self._explain(error, call)
                raise error
            yield response.content.iter_any()

    @asynccontextmanager
    async def _open(
        self, call: Call, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        headers = {**_HEADERS, **call.headers}
        token = call.token or self.token
        if token is not None:
            if not sendable(token):
                raise BadCredential("the key cannot be sent.", fix=fix_of(token) or "")
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with (
                _body(call) as (more, body),
                self._ready().request(
                    call.method,
                    self.url + call.path,
                    params=call.query,
                    headers=headers | more,
                    data=body,
                    json=call.json,
                    timeout=limits,
                    allow_redirects=False,  # a token goes to nobody but the server it is for
                ) as response,
            ):
                if response.status in MOVED:
                    raise moved(self.url, call.path, response.headers.get("Location"))
                yield response
        except (aiohttp.ClientError, OSError) as error:  # OSError: timeouts too
            if isinstance(error.__cause__, LeaderboardError):  # from the body's own generator
                raise error.__cause__ from None
            raise network_error(self.url, error) from error

    def _explain(self, error: LeaderboardError, call: Call) -> None:
        """Say what is wrong with the address, or with a key or token, where that can be seen."""
        error.fix = misplaced(self.url, error) or error.fix
        token = call.token or self.token
        if token is not None and isinstance(error, Refused) and error.code in CODES:
            error.fix = fix_of(token) or error.fix

    def _timeout(self, call: Call) -> aiohttp.ClientTimeout:
        import aiohttp

        connect = self.timeouts.connect
        if call.largest is not None:
            silence = self.timeouts.read
            return aiohttp.ClientTimeout(
                total=self.timeouts.download, sock_connect=connect, sock_read=silence
            )
        if call.form is None and call.content is None:
            return aiohttp.ClientTimeout(total=self.timeouts.read, sock_connect=connect)
        silence = self.timeouts.upload_silence
        return aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=silence)

    def _ready(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _whole(response: aiohttp.ClientResponse, largest: int | None) -> bytes:
    """Read an answer; raises Unintelligible where it is larger than the call allows."""
    if largest is None:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():  # unpacked piece by piece
        body += chunk
        if len(body) > largest:
            raise Unintelligible(
                f"the server answered with more than {largest >> 20} MiB.",
                fix="Check the address of the server, and ask its maintainers.",
            )
    return bytes(body)


@asynccontextmanager
async def _body(call: Call) -> AsyncIterator[tuple[dict[str, str], Any]]:
    """Give what a call sends, with the headers that belong to it; raises UnreadableFile."""
    if call.form is None:
        yield {}, call.content
        return
    async with call.form.body() as (length, chunks):
        yield {"Content-Type": call.form.content_type, "Content-Length": str(length)}, chunks
