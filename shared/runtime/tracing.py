"""The thread through everything that one request caused, however many processes it passes.

A trace travels as W3C Trace Context: a `traceparent` header over HTTP, a field in envelopes. It is
followed always, since logs name it; spans are recorded only where an exporter was set up (see
`shared.runtime.otlp`), and cost nothing elsewhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, Protocol
from uuid import UUID

import structlog

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
    """Read a traceparent of any version; None where it is none: a bad one starts a new trace.

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
    """Return the beginning of a trace whose first span nobody records."""
    return Trace(secrets.token_hex(16), secrets.token_hex(8))


class Recorder(Protocol):
    """What records spans."""

    def start(
        self,
        name: str,
        kind: Kind,
        parent: Trace | None,
        attributes: Attributes,
        *,
        started_at: float | None = None,
    ) -> RecordedSpan:
        """Begin a span; `started_at` in seconds since 1970 for one that began before."""


class RecordedSpan(Protocol):
    """A span under way."""

    @property
    def trace(self) -> Trace:
        """Where what it causes hangs on."""

    def note(self, key: str, value: str | int) -> None:
        """Add what is known only now."""

    def end(self, error: BaseException | None = None) -> None:
        """Finish it."""


_current: ContextVar[Trace | None] = ContextVar("medvid_trace", default=None)
_recorder: Recorder | None = None
_NOTHING: Final[AbstractContextManager[RecordedSpan | None]] = nullcontext()


def current_trace() -> Trace | None:
    """Return where we are, None outside of any trace."""
    return _current.get()


def is_recording() -> bool:
    """Tell whether spans are recorded in this process."""
    return _recorder is not None


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Record the spans of this process until the context is left."""
    global _recorder
    before, _recorder = _recorder, recorder
    try:
        yield
    finally:
        _recorder = before


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
) -> AbstractContextManager[RecordedSpan | None]:
    """Record what happens inside as a span, where spans are recorded at all."""
    if _recorder is None:
        return _NOTHING
    return _recorded(_recorder, name, kind, attributes or {})


@contextmanager
def _recorded(
    recorder: Recorder, name: str, kind: Kind, attributes: Attributes
) -> Iterator[RecordedSpan]:
    under_way = recorder.start(name, kind, _current.get(), attributes)
    error: BaseException | None = None
    try:
        with continuing(under_way.trace):
            yield under_way
    except BaseException as raised:
        error = raised
        raise
    finally:
        under_way.end(error)


def record_past(
    name: str, kind: Kind, trace: Trace, started_at: float, attributes: Attributes | None = None
) -> None:
    """Record a span that began at `started_at` (seconds since 1970) and ends now."""
    if _recorder is not None:
        _recorder.start(name, kind, trace, attributes or {}, started_at=started_at).end()
