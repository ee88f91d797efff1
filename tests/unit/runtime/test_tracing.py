"""Trace context: parsed as the standard says, followed always, recorded only where wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from shared.runtime.tracing import (
    Trace,
    continuing,
    current_trace,
    is_recording,
    parse_traceparent,
    record_past,
    recording,
    span,
)
from tests.depth import deep

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def test_a_traceparent_is_read_and_written() -> None:
    trace = parse_traceparent(GIVEN)
    assert trace == Trace(TRACE_ID, "00f067aa0ba902b7", sampled=True)
    assert trace.traceparent == GIVEN
    assert trace.correlation_id == UUID(TRACE_ID)


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (GIVEN[:-2] + "00", False),
        (GIVEN[:-2] + "03", True),
        ("cc" + GIVEN[2:] + "-what-the-future-brings", True),
        (f"  {GIVEN} ", True),
    ],
)
def test_other_versions_and_flags_are_understood(text: str, sampled: bool) -> None:
    trace = parse_traceparent(text)
    assert trace is not None
    assert (trace.trace_id, trace.sampled) == (TRACE_ID, sampled)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "hello",
        GIVEN.upper(),
        GIVEN[:-1],
        GIVEN + "-more",
        "ff" + GIVEN[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        GIVEN + "\n00",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(text: str | None) -> None:
    assert parse_traceparent(text) is None


class Recorder:
    """Keeps the spans that ended, as an exporter gets them."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    with recording(made.tracer):
        yield made
    assert not is_recording()


def test_spans_hang_on_the_one_around_them(recorder: Recorder) -> None:
    with continuing(parse_traceparent(GIVEN)), span("outer"), span("inner", "client") as inner:
        assert inner is not None
        inner.set_attribute("status", 200)
        record_past("waited", "producer", Trace(TRACE_ID, "a" * 16), 1.5, UUID(int=1))
    ended = {one.name: one for one in recorder.ended}
    assert list(ended) == ["waited", "inner", "outer"]
    assert {one.context.trace_id for one in recorder.ended} == {int(TRACE_ID, 16)}
    parents = {name: one.parent and one.parent.span_id for name, one in ended.items()}
    assert parents == {
        "outer": int("00f067aa0ba902b7", 16),
        "inner": ended["outer"].context.span_id,
        "waited": int("a" * 16, 16),
    }
    assert ended["inner"].attributes == {"status": 200}
    assert {one.status.status_code for one in recorder.ended} == {StatusCode.UNSET}
    kinds = {name: one.kind.name for name, one in ended.items()}
    assert kinds == {"outer": "INTERNAL", "inner": "CLIENT", "waited": "PRODUCER"}
    assert ended["waited"].start_time == 1_500_000_000
    assert current_trace() is None


def test_a_trace_that_is_not_kept_records_nothing(recorder: Recorder) -> None:
    with continuing(parse_traceparent(GIVEN[:-2] + "00")), span("one"):
        trace = current_trace()
    assert trace is not None
    assert (trace.trace_id, trace.sampled) == (TRACE_ID, False)
    assert not recorder.ended


def test_an_error_ends_a_span_and_goes_on(recorder: Recorder) -> None:
    with pytest.raises(KeyError), span("failing"):
        raise KeyError("a caption")
    (ended,) = recorder.ended
    assert (ended.status.status_code, ended.status.description) == (StatusCode.ERROR, "KeyError")
    assert ended.attributes == {"error.type": "KeyError"}
    assert not ended.events, "the error's text may hold captions"
    assert current_trace() is None


def test_logs_name_the_trace_and_forget_it_after() -> None:
    with continuing(parse_traceparent(GIVEN)):
        assert structlog.contextvars.get_contextvars()["trace_id"] == TRACE_ID
    assert "trace_id" not in structlog.contextvars.get_contextvars()


def test_where_nothing_is_recorded_a_span_is_nothing() -> None:
    assert span("one") is span("another")
    with span("one") as nothing:
        assert nothing is None
        assert current_trace() is None


@deep
def test_what_only_a_collector_or_a_judge_needs_is_not_even_imported() -> None:
    code = (
        "import services.standalone, sys;"
        "print(sorted({'opentelemetry', 'openai'} & {m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
