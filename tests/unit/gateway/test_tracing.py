"""Which requests are in a trace, and that handlers of what they cause are in the same."""

from __future__ import annotations

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from opentelemetry.trace import StatusCode

from services.gateway.web.tracing import traced
from shared.contracts.messages import BoardChanged, Envelope
from shared.messaging.bus import Delivery, Done
from shared.messaging.consumer import Consumer, Route
from shared.messaging.topology import RANKER_BOARDS
from shared.runtime.errors import NotFound
from shared.runtime.tracing import Trace, current_trace, recording
from shared.storage.database import AlreadySeen
from tests.unit.runtime.test_tracing import Recorder

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}


async def seen_by(method: str, headers: dict[str, str]) -> Trace | None:
    found: list[Trace | None] = []

    async def handle(_: web.Request) -> web.StreamResponse:
        found.append(current_trace())
        return web.Response()

    await traced(handle)(make_mocked_request(method, "/", headers=headers))
    assert current_trace() is None
    return found[0]


async def test_a_given_trace_is_followed() -> None:
    for method in ("GET", "POST"):
        trace = await seen_by(method, HEADER)
        assert trace is not None
        assert trace.trace_id == TRACE_ID


async def test_a_request_that_causes_something_begins_a_trace_and_a_read_does_not() -> None:
    first, second = [await seen_by("POST", {}) for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first.trace_id != second.trace_id
    assert await seen_by("GET", {}) is None


async def test_a_refusal_is_no_fault_of_the_span() -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        raise NotFound("there is none", code="submission_not_found")

    recorder = Recorder()
    with recording(recorder.tracer), pytest.raises(NotFound):
        await traced(refuse)(make_mocked_request("GET", "/x"))
    (ended,) = recorder.ended
    assert (ended.name, ended.status.status_code) == ("GET", StatusCode.UNSET)
    assert ended.attributes["error.type"] == "submission_not_found"


async def test_logs_of_a_handler_name_the_trace_of_the_message() -> None:
    bound: list[dict[str, object]] = []

    async def handle(_: Envelope, __: BoardChanged) -> None:
        bound.append(dict(structlog.contextvars.get_contextvars()))

    consumer = Consumer(None, Route(BoardChanged, handle))  # type: ignore[arg-type]  # not used
    message = BoardChanged(board="official")
    envelopes = (
        Envelope.wrap(message, traceparent=HEADER["traceparent"]),
        Envelope.wrap(message),
    )
    for envelope in envelopes:
        delivery = Delivery(RANKER_BOARDS, envelope.to_bytes(), 1)
        assert await consumer.handle(delivery) == Done()
    assert bound[0]["trace_id"] == TRACE_ID
    assert bound[1]["trace_id"] == envelopes[1].correlation_id.hex
    assert bound[1]["message_id"] == str(envelopes[1].id)


async def test_what_was_done_before_is_no_failed_span() -> None:
    async def seen(_: Envelope, __: BoardChanged) -> None:
        raise AlreadySeen

    consumer = Consumer(None, Route(BoardChanged, seen))  # type: ignore[arg-type]  # not used
    recorder = Recorder()
    body = Envelope.wrap(BoardChanged(board="official")).to_bytes()
    with recording(recorder.tracer):
        assert await consumer.handle(Delivery(RANKER_BOARDS, body, 1)) == Done()
    (ended,) = recorder.ended
    assert (ended.name, ended.status.status_code) == ("process board.changed", StatusCode.UNSET)
    assert ended.attributes["medvid.outcome"] == "seen"
