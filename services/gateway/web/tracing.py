"""A request's place in its trace: taken from its `traceparent` header, or the beginning of one."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from services.gateway.web.endpoints import Handle
from shared.runtime.errors import MedvidError
from shared.runtime.tracing import continuing, is_recording, new_trace, parse_traceparent, span

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def traced(handle: Handle) -> Handle:
    """Follow the trace of each request, and record it as a span where spans are recorded.

    A request that may cause messages begins a trace if it is in none: logs then name the same one
    from here to the last handler. Goes inside of the way past routing: reads of boards, thousands a
    second, are in no trace.
    """

    async def with_trace(request: web.Request) -> web.StreamResponse:
        given = parse_traceparent(request.headers.get("traceparent"))
        if given is None and not is_recording():
            if request.method in _READS:
                return await handle(request)
            given = new_trace()
        attributes = {"http.request.method": request.method, "url.path": request.path}
        with continuing(given), span(request.method, "server", attributes) as under_way:
            try:
                response = await handle(request)
            except (MedvidError, web.HTTPException) as error:
                # Answered as a problem: no fault of this span.
                refusal = error
                if under_way is not None:
                    under_way.set_attribute(
                        "error.type", getattr(error, "error_code", type(error).__name__)
                    )
            else:
                if under_way is not None:
                    under_way.set_attribute("http.response.status_code", response.status)
                return response
        raise refusal

    return with_trace
