"""Follows everything that one request caused, through however many processes.

A trace travels as W3C Trace Context: a `traceparent` header over HTTP, a field in envelopes. It is
followed always, since logs name it. Spans are OpenTelemetry's, and are recorded only where an
exporter was set up (`shared.runtime.otlp`): elsewhere OpenTelemetry is not even imported.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import structlog

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_FORM: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace: its id, the span that others are caused by, and whether it is kept."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        """Return the header that hands it on."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    @property
    def correlation_id(self) -> UUID:
        """Return the trace's id as messages and logs carry it."""
        return UUID(hex=self.trace_id)


def parse_traceparent(text: str | None) -> Trace | None:
    """Read a traceparent of any version; None where it is not valid: then a new trace starts.

    Source: W3C Trace Context, sections 3.2 and 4.
    """
    match = _FORM.fullmatch(text.strip()) if text else None
    if match is None or (match[1] == "00" and match[5]):
        return None
    trace_id, span_id = match[2], match[3]
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Trace(trace_id, span_id, bool(int(match[4], 16) & _SAMPLED))


def new_trace() -> Trace:
    """Return the beginning of a trace whose first span is not recorded."""
    return Trace(secrets.token_hex(16), secrets.token_hex(8))


_current: ContextVar[Trace | None] = ContextVar("medvid_trace", default=None)
_tracer: Tracer | None = None
_NOTHING: Final[AbstractContextManager[Span | None]] = nullcontext()
_NANOSECONDS: Final = 1_000_000_000


def current_trace() -> Trace | None:
    """Return where we are, None outside of any trace."""
    return _current.get()


def is_recording() -> bool:
    """Tell whether spans are recorded in this process."""
    return _tracer is not None


@contextmanager
def recording(tracer: Tracer) -> Iterator[None]:
    """Record the spans of this process until the context is left."""
    global _tracer
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


@contextmanager
def continuing(trace: Trace | None) -> Iterator[None]:
    """Follow a trace that began elsewhere."""
    token = _current.set(trace)
    try:
        if trace is None:
            yield
        else:
            with structlog.contextvars.bound_contextvars(trace_id=trace.trace_id):
                yield
    finally:
        _current.reset(token)


def span(
    name: str, kind: Kind = "internal", attributes: Attributes | None = None
) -> AbstractContextManager[Span | None]:
    """Record what happens inside as a span, where spans are recorded at all."""
    if _tracer is None:
        return _NOTHING
    return _recorded(_start(_tracer, name, kind, _current.get(), attributes))


@contextmanager
def _recorded(recorded: Span) -> Iterator[Span]:
    """Be inside of a span. Of an error only its type is recorded: its text may hold captions."""
    place = recorded.get_span_context()
    trace = Trace(f"{place.trace_id:032x}", f"{place.span_id:016x}", place.trace_flags.sampled)
    try:
        with continuing(trace):
            yield recorded
    except BaseException as error:
        from opentelemetry.trace import Status, StatusCode

        recorded.set_status(Status(StatusCode.ERROR, type(error).__name__))
        recorded.set_attribute("error.type", type(error).__name__)
        raise
    finally:
        recorded.end()


def record_past(name: str, kind: Kind, trace: Trace, started_at: float, message_id: UUID) -> None:
    """Record what happened to a message since `started_at` (seconds since 1970)."""
    if _tracer is not None:
        attributes = {"messaging.message.id": str(message_id)}
        _start(_tracer, name, kind, trace, attributes, int(started_at * _NANOSECONDS)).end()


def _start(
    tracer: Tracer,
    name: str,
    kind: Kind,
    parent: Trace | None,
    attributes: Attributes | None,
    start_time: int | None = None,
) -> Span:
    from opentelemetry import trace as api

    context = None
    if parent is not None:
        place = api.SpanContext(
            int(parent.trace_id, 16),
            int(parent.span_id, 16),
            is_remote=True,
            trace_flags=api.TraceFlags(parent.sampled),
        )
        context = api.set_span_in_context(api.NonRecordingSpan(place))
    return tracer.start_span(
        name, context, api.SpanKind[kind.upper()], attributes, start_time=start_time
    )
