"""The HTTP server itself: what it answers to bytes that are no HTTP request."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, cast

import structlog
from aiohttp import web

from services.gateway import problems
from services.gateway.endpoints import Handle
from services.gateway.representations import SERVER
from services.gateway.security import API_HEADERS

_log = structlog.get_logger(__name__)


class Runner(web.AppRunner):
    """Runs an application inside what `around` puts around its handling of requests.

    Requests that are malformed get problem documents, not the library's text.
    """

    def __init__(
        self,
        app: web.Application,
        around: Callable[[Handle], Handle],
        *,
        lingering_seconds: float,
        drain_seconds: float,
    ) -> None:
        self._around = around
        # Bodies are taken as they come: an unpacking layer below us would be a gzip bomb's door.
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "lingering_time": lingering_seconds,
        }
        super().__init__(app, handle_signals=False, shutdown_timeout=drain_seconds, **self._options)

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        handle = cast(Handle, plain.request_handler)
        return _Server(
            cast(Any, self._around(handle)),
            request_factory=plain.request_factory,
            **self._options,
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

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
        if status >= 500:
            _log.error("request_failed", request_id=request_id, exc_info=exc)
            problem = problems.internal(request_id)
        else:
            _log.info("request_malformed", request_id=request_id, error=type(exc).__name__)
            problem = problems.of_status(status, request_id)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        response = web.Response(
            text=problem.model_dump_json(exclude_none=True),
            status=status,
            content_type=problems.PROBLEM_TYPE,
            headers={"Server": SERVER, "X-Request-ID": request_id, **API_HEADERS},
        )
        response.force_close()
        return response
