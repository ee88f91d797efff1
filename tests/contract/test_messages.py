"""The wire format of every message, held fast by golden files that are never edited.

Messages of an older release may wait in an outbox or a queue while a newer one starts: a changed
meaning is a new version beside the old one, with a golden file of its own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.contracts.messages import (
    MAX_BODY_BYTES,
    BoardChanged,
    BoardRanked,
    Envelope,
    JudgingBatch,
    JudgingCompleted,
    JudgingProgressed,
    JudgingRequested,
    MalformedMessage,
    Message,
    RescoringCompleted,
    RescoringRequested,
    ScoringCompleted,
    ScoringFailed,
    SimilarityRequested,
    StatisticsComputed,
    SubmissionAccepted,
    UnknownMessage,
)
from shared.messaging.topology import HINTS, QUEUES
from shared.runtime.errors import Permanent

GOLDEN = Path(__file__).parent.parent / "golden" / "messages"
SUBMISSION = UUID("6f9619ff-8b86-4011-b42d-00c04fc964ff")
ENTRY = UUID("9a3d1c6e-2b4f-4f60-8a71-0c1d2e3f4a5b")
RUN = UUID("0b1f6a52-7a3c-4c58-9d3e-5a4b3c2d1e0f")

EXPECTED: dict[str, Message] = {
    "submission.accepted.v1": SubmissionAccepted(submission_id=SUBMISSION),
    "scoring.completed.v1": ScoringCompleted(
        submission_id=SUBMISSION, entry_id=ENTRY, board="community"
    ),
    "scoring.failed.v1": ScoringFailed(
        submission_id=SUBMISSION, reason="Scoring took longer than 300 s."
    ),
    "board.changed.v1": BoardChanged(board="official"),
    "board.ranked.v1": BoardRanked(board="community", revision=17),
    "statistics.computed.v1": StatisticsComputed(board="community"),
    "similarity.requested.v1": SimilarityRequested(submission_id=SUBMISSION),
    "judging.requested.v1": JudgingRequested(submission_id=SUBMISSION, run_id=RUN),
    "judging.batch.v1": JudgingBatch(submission_id=SUBMISSION, run_id=RUN, batch_id=7),
    "judging.progressed.v1": JudgingProgressed(submission_id=SUBMISSION, run_id=RUN),
    "judging.completed.v1": JudgingCompleted(
        submission_id=SUBMISSION,
        run_id=RUN,
        entry_id=ENTRY,
        board="community",
        judge_version="a" * 64,
    ),
    "rescoring.requested.v1": RescoringRequested(
        job_id=RUN, entry_id=ENTRY, submission_id=SUBMISSION
    ),
    "rescoring.completed.v1": RescoringCompleted(job_id=RUN),
}


def _golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def test_every_message_has_a_golden_file_and_every_file_a_message() -> None:
    files = {path.stem for path in GOLDEN.glob("*.json")}
    messages = {f"{message.type}.v{message.version}" for message in Message.__subclasses__()}
    assert files == messages == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_message_reads_as_it_always_did(name: str) -> None:
    envelope = Envelope.parse(_golden(name))
    assert envelope.message() == EXPECTED[name]
    assert f"{envelope.type}.v{envelope.version}" == name
    assert envelope.occurred_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert envelope.correlation_id == UUID("2d8b1a3c-4d5e-4f60-8a71-9c0e2f7d8b1a")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_message_is_written_as_it_was_read(name: str) -> None:
    written = Envelope.parse(_golden(name)).to_bytes()
    assert json.loads(written) == json.loads(_golden(name))


@pytest.mark.parametrize("message", EXPECTED.values(), ids=EXPECTED)
def test_a_wrapped_message_survives_the_wire(message: Message) -> None:
    correlation_id = uuid4()
    sent = Envelope.wrap(message, correlation_id=correlation_id)
    received = Envelope.parse(sent.to_bytes())
    assert received == sent
    assert received.message() == message
    assert received.correlation_id == correlation_id


def test_every_envelope_has_an_id_of_its_own() -> None:
    message = BoardChanged(board="official")
    assert Envelope.wrap(message).id != Envelope.wrap(message).id


def test_every_message_goes_to_a_queue_or_is_a_hint() -> None:
    known = {message.type for message in EXPECTED.values()}
    bound = {message_type for queue in QUEUES for message_type in queue.types}
    assert bound | set(HINTS) == known


def test_a_field_that_a_newer_envelope_adds_is_ignored() -> None:
    newer = json.loads(_golden("judging.batch.v1")) | {"priority": 7}
    assert Envelope.parse(json.dumps(newer).encode()).message() == EXPECTED["judging.batch.v1"]


def test_an_envelope_in_a_trace_reads_as_it_always_did() -> None:
    body = (GOLDEN.parent / "envelopes" / "traced.json").read_bytes()
    envelope = Envelope.parse(body)
    assert envelope.traceparent == "00-2d8b1a3c4d5e4f608a719c0e2f7d8b1a-00f067aa0ba902b7-01"
    assert envelope.message() == EXPECTED["judging.batch.v1"]
    assert json.loads(envelope.to_bytes()) == json.loads(body)


def test_without_a_trace_the_first_version_can_read_it() -> None:
    """It refused every field that it did not know."""
    body = json.loads(Envelope.wrap(BoardChanged(board="official")).to_bytes())
    assert set(body) == set(GOOD)


GOOD = json.loads(_golden("judging.batch.v1"))
HUGE = b'{"id":"' + b"1" * MAX_BODY_BYTES + b'"}'

NOT_ENVELOPES = {
    "empty": b"",
    "no JSON": b"hello",
    "not UTF-8": b"\xff\xfe{}",
    "cut off": _golden("board.ranked.v1")[:-20],
    "a list": b"[]",
    "null": b"null",
    "no fields": b"{}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "huge": HUGE,
    "NaN": json.dumps(GOOD | {"version": float("nan")}).encode(),
    "a digit too many": b'{"version": ' + b"9" * 5000 + b"}",
    "a traceparent that is no text": json.dumps(GOOD | {"traceparent": 1}).encode(),
    "no id": json.dumps({**GOOD, "id": None}).encode(),
    "an id that is none": json.dumps(GOOD | {"id": "17"}).encode(),
    "version zero": json.dumps(GOOD | {"version": 0}).encode(),
    "a date that is none": json.dumps(GOOD | {"occurred_at": "yesterday"}).encode(),
    "data that is no object": json.dumps(GOOD | {"data": "x"}).encode(),
}

NOT_MESSAGES = {
    "an unknown type": GOOD | {"type": "judging.butch"},
    "an unknown version": GOOD | {"version": 2},
    "a missing field": GOOD | {"data": {}},
    "an unknown field": GOOD | {"data": GOOD["data"] | {"extra": 1}},
    "a field of another type": GOOD | {"data": GOOD["data"] | {"batch_id": "many"}},
    "a value out of range": GOOD | {"data": GOOD["data"] | {"batch_id": 0}},
    "a value of no choice": GOOD | {"type": "board.changed", "data": {"board": "private"}},
}


@pytest.mark.parametrize("body", NOT_ENVELOPES.values(), ids=NOT_ENVELOPES)
def test_what_is_no_envelope_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        Envelope.parse(body)
    _check_reason(caught.value)


def test_what_a_newer_version_may_know_is_told_from_what_nobody_can_read() -> None:
    for name, content in NOT_MESSAGES.items():
        with pytest.raises(MalformedMessage) as caught:
            Envelope.parse(json.dumps(content).encode()).message()
        newer = name in ("an unknown type", "an unknown version")
        assert isinstance(caught.value, UnknownMessage) == newer


@pytest.mark.parametrize("content", NOT_MESSAGES.values(), ids=NOT_MESSAGES)
def test_what_is_no_message_is_refused_with_a_reason(content: dict[str, object]) -> None:
    envelope = Envelope.parse(json.dumps(content).encode())
    with pytest.raises(MalformedMessage) as caught:
        envelope.message()
    _check_reason(caught.value)


def _check_reason(error: MalformedMessage) -> None:
    assert isinstance(error, Permanent)
    assert error.error_code in ("malformed_message", "unknown_message")
    assert 10 < len(error.detail) < 500
