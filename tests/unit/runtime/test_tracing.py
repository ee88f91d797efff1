"""Trace context: parsed as the standard says, followed always, recorded only where wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
import structlog

from shared.runtime.tracing import (
    Attributes,
    Kind,
    Trace,
    continuing,
    current_trace,
    is_recording,
    parse_traceparent,
    record_past,
    recording,
    span,
)

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


class Recorded:
    """A span under way that writes down its end."""

    def __init__(self, ended: list[str], name: str, trace: Trace) -> None:
        self.trace = trace
        self._ended = ended
        self._name = name

    def note(self, key: str, value: str | int) -> None:
        self._name += f" {key}={value}"

    def end(self, error: BaseException | None = None) -> None:
        self._ended.append(f"{self._name} {type(error).__name__ if error else 'ok'}")


class Recorder:
    """Gives spans numbers as ids."""

    def __init__(self) -> None:
        self.parents: dict[str, str | None] = {}
        self.ended: list[str] = []

    def start(
        self,
        name: str,
        kind: Kind,  # noqa: ARG002 - as the port has it
        parent: Trace | None,
        attributes: Attributes,  # noqa: ARG002 - as the port has it
        *,
        started_at: float | None = None,  # noqa: ARG002 - as the port has it
    ) -> Recorded:
        self.parents[name] = parent.span_id if parent else None
        number = f"{len(self.parents):016x}"
        return Recorded(self.ended, name, Trace(parent.trace_id if parent else TRACE_ID, number))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    with recording(made):
        yield made
    assert not is_recording()


def test_spans_hang_on_the_one_around_them(recorder: Recorder) -> None:
    with continuing(parse_traceparent(GIVEN)), span("outer"), span("inner") as inner:
        assert inner is not None
        inner.note("status", 200)
        record_past("waited", "producer", Trace(TRACE_ID, "a" * 16), 0.0)
    assert recorder.parents == {
        "outer": "00f067aa0ba902b7",
        "inner": "0000000000000001",
        "waited": "a" * 16,
    }
    assert recorder.ended == ["waited ok", "inner status=200 ok", "outer ok"]
    assert current_trace() is None


def test_an_error_ends_a_span_and_goes_on(recorder: Recorder) -> None:
    with pytest.raises(KeyError), span("failing"):
        raise KeyError
    assert recorder.ended == ["failing KeyError"]
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


def test_where_no_collector_is_named_opentelemetry_is_not_even_imported() -> None:
    code = (
        "import services.standalone, sys; print(sorted(m for m in sys.modules if 'opentel' in m))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
