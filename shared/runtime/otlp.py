"""Spans over OTLP/HTTP, to whatever collector is configured. Imported only where one is.

Everything else that OpenTelemetry lets an operator set (headers, sampling, batching, resource
attributes) it reads from its own `OTEL_*` variables.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from shared.runtime.tracing import Attributes, Kind, Trace, recording

_TRACES: Final = "/v1/traces"
_FLUSH_SECONDS: Final = 2.0
"""How long the end of a process waits for a collector."""
_NANOSECONDS: Final = 1_000_000_000
_KINDS: Final[dict[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


@contextmanager
def exporting(endpoint: str | None, service: str) -> Iterator[None]:
    """Record spans and send them until left; what is not sent yet is sent then.

    `endpoint` is the collector's base address, None for the one in OpenTelemetry's own variables.
    A collector that does not answer costs spans, never work.
    """
    address = None if endpoint is None else endpoint.rstrip("/").removesuffix(_TRACES) + _TRACES
    # OpenTelemetry's own variable wins, as in every other service of the installation.
    name = os.environ.get("OTEL_SERVICE_NAME") or f"medvid-{service}"
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(endpoint=address)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        with recording(_OpenTelemetry(provider.get_tracer("medvid"))):
            yield
    finally:
        patience = threading.Timer(_FLUSH_SECONDS, exporter.shutdown)
        patience.start()
        provider.shutdown()
        patience.cancel()


class _OpenTelemetry:
    """Implements Recorder."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start(
        self,
        name: str,
        kind: Kind,
        parent: Trace | None,
        attributes: Attributes,
        *,
        started_at: float | None = None,
    ) -> _Recorded:
        """Begin a span."""
        context = None if parent is None else set_span_in_context(_remote(parent))
        return _Recorded(
            self._tracer.start_span(
                name,
                context,
                _KINDS[kind],
                dict(attributes),
                start_time=None if started_at is None else int(started_at * _NANOSECONDS),
            )
        )


class _Recorded:
    """Implements RecordedSpan."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace = Trace(
            f"{context.trace_id:032x}", f"{context.span_id:016x}", context.trace_flags.sampled
        )

    def note(self, key: str, value: str | int) -> None:
        """Add an attribute."""
        self._span.set_attribute(key, value)

    def end(self, error: BaseException | None = None) -> None:
        """Finish it; of an error only its type is told, as its text may hold captions."""
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            self._span.set_attribute("error.type", type(error).__name__)
        self._span.end()


def _remote(parent: Trace) -> NonRecordingSpan:
    return NonRecordingSpan(
        SpanContext(
            trace_id=int(parent.trace_id, 16),
            span_id=int(parent.span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT),
        )
    )
