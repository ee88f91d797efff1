"""Around every request: its id, its errors as problem documents or pages, safe headers."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import hdrs, web
from multidict import istr

from medvid.models.problems import ProblemDetails
from services.gateway.web import problems
from services.gateway.web.endpoints import Handle
from services.gateway.web.errors import Busy, QuotaExhausted
from services.gateway.web.representations import SERVER
from services.gateway.web.security import API_HEADERS, PAGE_HEADERS, READ_HEADERS
from services.gateway.web.urls import FOR_PROGRAMS
from shared.runtime.errors import MedvidError
from shared.runtime.metrics import HTTP_RESPONSES

REQUEST_ID: Final = istr("X-Request-ID")
_ID: Final = web.RequestKey("request_id", str)
_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGGED_CHARACTERS: Final = 200
# Looked up once: what is counted for board reads must cost next to nothing.
_ANSWERS: Final = tuple(HTTP_RESPONSES.labels(f"{first}xx") for first in range(6))
_log = structlog.get_logger(__name__)

ErrorPage = Callable[[ProblemDetails], str]


def boundary(handle: Handle, error_page: ErrorPage) -> Handle:
    """Wrap a whole application so that no error leaves it as it is.

    It goes around the application rather than into its list of middlewares, so that it also sees
    what routing refuses, and because that list costs a tenth of a board read's time. What it does
    for board reads, thousands a second, is kept to a counter and two header look-ups.
    """
    # Unique over processes and restarts, without asking for randomness at each request.
    process, numbers = secrets.token_hex(6), itertools.count(1)

    async def bounded(request: web.Request) -> web.StreamResponse:
        given = request.headers.get(REQUEST_ID)
        if given is not None and _GIVEN_ID.fullmatch(given):
            request_id = given
        else:
            request_id = f"{process}-{next(numbers):x}"
        request[_ID] = request_id
        try:
            try:
                response = await handle(request)
            except (MedvidError, web.HTTPException) as error:
                response = _refuse(request, error, request_id, error_page)
            headers = response.headers
            if hdrs.SERVER not in headers:
                headers.update({hdrs.SERVER: SERVER, **_safe_headers(request)})
            headers[REQUEST_ID] = request_id
            # The library would do it later, outside: a header that cannot be written is an error
            # like any other, and its request gets a response.
            await response.prepare(request)
        except Exception:  # noqa: BLE001 - the last net: logged, and answered without its details
            response = _failed(request, request_id, error_page)
        _ANSWERS[response.status // 100].inc()
        return response

    return bounded


def _failed(request: web.Request, request_id: str, error_page: ErrorPage) -> web.StreamResponse:
    """Log what just failed and return what is answered.

    Raises ConnectionError, which ends the connection, where an answer was begun: nothing else tells
    its reader that it is not whole.
    """
    _log.exception("request_failed", request_id=request_id, **logged_address(request))
    if request.writer.output_size > 0:
        raise ConnectionError("an answer was begun already")
    response = _answer(request, problems.internal(request_id), error_page)
    headers = {hdrs.SERVER: SERVER, **_safe_headers(request), REQUEST_ID: request_id}
    response.headers.update(headers)
    return response


def logged_address(request: web.BaseRequest) -> dict[str, str]:
    """Return method and path for a log line: in ASCII, cut, without query, so without secrets."""
    path = request.raw_path.partition("?")[0][:_LOGGED_CHARACTERS]
    return {"method": request.method, "path": path.encode("ascii", "backslashreplace").decode()}


def named(handle: Handle) -> Handle:
    """Give every line that is logged during a request its id.

    Goes inside of the way past routing: reads of boards, thousands a second, log nothing.
    """

    async def with_id(request: web.Request) -> web.StreamResponse:
        with structlog.contextvars.bound_contextvars(request_id=request_id_of(request)):
            return await handle(request)

    return with_id


def expecting(handle: Handle) -> Handle:
    """Refuse an expectation that is not known; the library's own text of it may be no text."""

    async def without_others(request: web.Request) -> web.StreamResponse:
        expected = request.headers.get(hdrs.EXPECT)
        if expected is not None and expected.lower() != "100-continue":
            raise web.HTTPExpectationFailed
        return await handle(request)

    return without_others


def stream_headers(request: web.Request) -> dict[str, str]:
    """Return the headers of an answer that is sent before the boundary gets to see it."""
    return {hdrs.SERVER: SERVER, **_safe_headers(request), REQUEST_ID: request_id_of(request)}


def request_id_of(request: web.Request) -> str:
    """Return the id that the answer to a request will carry."""
    return request[_ID]


def _refuse(
    request: web.Request,
    error: MedvidError | web.HTTPException,
    request_id: str,
    error_page: ErrorPage,
) -> web.StreamResponse:
    if isinstance(error, MedvidError):
        problem = problems.of_error(error, request_id)
        if problem.status >= 500 and not isinstance(error, Busy):  # no lines for a crowd
            _log.warning(
                "request_refused", request_id=request_id, code=error.error_code, error=str(error)
            )
        response = _answer(request, problem, error_page)
        if isinstance(error, QuotaExhausted | Busy):
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    if error.status < 400:  # a redirect
        return error
    response = _answer(request, problems.of_status(error.status, request_id), error_page)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _answer(request: web.Request, problem: ProblemDetails, error_page: ErrorPage) -> web.Response:
    return problem_response(problem, None if is_api(request) else error_page)


def problem_response(problem: ProblemDetails, error_page: ErrorPage | None) -> web.Response:
    """Return the answer of a problem: a page for people, or its document."""
    headers = {"Cache-Control": "no-store"}
    if problem.status == 503:
        headers["Retry-After"] = str(problems.RETRY_AFTER_SECONDS)
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if error_page is None:
        body = problems.as_json(problem)
        content_type = problems.PROBLEM_TYPE
    else:
        body, content_type = error_page(problem), "text/html"
    response = web.Response(
        text=body, status=problem.status, content_type=content_type, headers=headers
    )
    if problem.status == 408:  # nothing sensible can follow on this connection
        response.force_close()
    return response


def is_api(request: web.Request) -> bool:
    """Tell whether programs read the answer rather than people."""
    return request.path.startswith(FOR_PROGRAMS)


def _safe_headers(request: web.Request) -> dict[str, str]:
    if not is_api(request):
        return PAGE_HEADERS
    return READ_HEADERS if request.method in _READS else API_HEADERS
