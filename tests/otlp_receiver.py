"""A collector that takes spans over OTLP/HTTP on loopback, for tests."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it arrived."""

    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    seconds: float
    attributes: dict[str, str]


@dataclass(slots=True)
class Receiver:
    """What arrived so far; `url` is its base address."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    async def wait(self, enough: Callable[[list[Span]], bool], seconds: float = 30) -> list[Span]:
        """Wait until there are enough spans and return them."""
        async with asyncio.timeout(seconds):
            while not enough(self.spans):
                await asyncio.sleep(0.02)
        return self.spans

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {pair.key: pair.value.string_value for pair in group.resource.attributes}
            for scope in group.scope_spans:
                self.spans += [_span(named["service.name"], span) for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")


def _span(service: str, span) -> Span:  # type: ignore[no-untyped-def]
    return Span(
        service,
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        {pair.key: pair.value.string_value for pair in span.attributes},
    )


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    app = web.Application()
    app.add_routes([web.post("/v1/traces", receiver.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()
