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

from shared.runtime.tracing import recording

_TRACES: Final = "/v1/traces"
_FLUSH_SECONDS: Final = 2.0
"""How long the end of a process waits for a collector."""


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
        with recording(provider.get_tracer("medvid")):
            yield
    finally:
        patience = threading.Timer(_FLUSH_SECONDS, exporter.shutdown)
        patience.start()
        provider.shutdown()
        patience.cancel()
