"""Every message on the bus, and the envelope it travels in.

Facts are named in the past tense, commands in the imperative. A message carries ids and small
facts; payloads stay in Postgres. A changed meaning is a new version beside the old one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar, Final, Self
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medvid.benchmark.tasks import Board
from shared.runtime.errors import Permanent

MAX_BODY_BYTES: Final = 1 << 20


class Message(BaseModel):
    """Base of all messages: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: ClassVar[str]
    version: ClassVar[int] = 1


class SubmissionAccepted(Message):
    """The gateway stored a valid submission; it waits for its rule-based scores."""

    type = "submission.accepted"
    submission_id: UUID


class ScoringCompleted(Message):
    """The scorer stored the seven rule-based scores of a submission's entry."""

    type = "scoring.completed"
    submission_id: UUID
    entry_id: UUID
    board: Board


class ScoringFailed(Message):
    """A submission cannot be scored; its owner can read why."""

    type = "scoring.failed"
    submission_id: UUID
    reason: str


class BoardChanged(Message):
    """Entries of a board were added, edited or removed other than by scoring."""

    type = "board.changed"
    board: Board


class BoardRanked(Message):
    """The ranker wrote new snapshots of a board, one for each scoring mode."""

    type = "board.ranked"
    board: Board
    revision: int = Field(ge=0)


class StatisticsComputed(Message):
    """The newest snapshots of a board have statistics."""

    type = "statistics.computed"
    board: Board


class SimilarityRequested(Message):
    """A scored submission waits for the similarities of its captions."""

    type = "similarity.requested"
    submission_id: UUID


class JudgingRequested(Message):
    """A run waits to be planned, or to go on after a pause or a failure."""

    type = "judging.requested"
    submission_id: UUID
    run_id: UUID


class JudgingBatch(Message):
    """Command: judge a few caption pairs of a run. Any judge replica may take it."""

    type = "judging.batch"
    submission_id: UUID
    run_id: UUID
    batch_id: int = Field(gt=0)


class JudgingProgressed(Message):
    """A run came some pairs further, or changed its state."""

    type = "judging.progressed"
    submission_id: UUID
    run_id: UUID


class JudgingCompleted(Message):
    """The judge stored the judged scores of a submission's entry."""

    type = "judging.completed"
    submission_id: UUID
    run_id: UUID
    entry_id: UUID
    board: Board
    judge_version: str


class RescoringRequested(Message):
    """An entry's file waits to be scored anew, beside the scores that are in force."""

    type = "rescoring.requested"
    job_id: UUID
    entry_id: UUID
    submission_id: UUID


class RescoringCompleted(Message):
    """Every entry of a re-score job is scored or failed: its rank difference can be computed."""

    type = "rescoring.completed"
    job_id: UUID


_MESSAGES: Final[dict[tuple[str, int], type[Message]]] = {
    (message.type, message.version): message
    for message in (
        SubmissionAccepted,
        ScoringCompleted,
        ScoringFailed,
        BoardChanged,
        BoardRanked,
        StatisticsComputed,
        SimilarityRequested,
        JudgingRequested,
        JudgingBatch,
        JudgingProgressed,
        JudgingCompleted,
        RescoringRequested,
        RescoringCompleted,
    )
}


class MalformedMessage(Permanent):
    """A body is not an envelope we know."""

    code = "malformed_message"


class UnknownMessage(MalformedMessage):
    """A sound envelope holds a type or version that this process does not know; a newer one may."""

    code = "unknown_message"


class Envelope(BaseModel):
    """What surrounds a message: identity for dedupe, correlation for tracing.

    Fields that a newer version adds are ignored, so that both may run side by side. `traceparent`
    (W3C Trace Context) is such a field: it is left out where no spans are recorded, and the message
    is then the same, to the byte, as that of the version that did not know it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID = Field(default_factory=uuid4)
    type: str
    version: int = Field(ge=1)
    occurred_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    correlation_id: UUID
    data: dict[str, object]
    traceparent: str | None = None

    @classmethod
    def wrap(
        cls,
        message: Message,
        *,
        correlation_id: UUID | None = None,
        traceparent: str | None = None,
    ) -> Self:
        """Put a message into a new envelope; without a correlation id it starts a new trail."""
        return cls(
            type=message.type,
            version=message.version,
            correlation_id=correlation_id or uuid4(),
            data=message.model_dump(mode="json"),
            traceparent=traceparent,
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read an envelope from the wire; raises MalformedMessage saying what is wrong."""
        if len(body) > MAX_BODY_BYTES:
            raise MalformedMessage(f"the body has {len(body)} bytes, more than {MAX_BODY_BYTES}")
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise MalformedMessage(f"not an envelope: {_first_problem(error)}") from error

    def message(self) -> Message:
        """Return the typed message.

        Raises UnknownMessage for an unknown type or version, MalformedMessage for wrong fields.
        """
        model = _MESSAGES.get((self.type, self.version))
        if model is None:
            raise UnknownMessage(f"unknown message {self.type} version {self.version}")
        try:
            return model.model_validate(self.data, strict=False)
        except ValidationError as error:
            raise MalformedMessage(f"{self.type}: {_first_problem(error)}") from error

    def to_bytes(self) -> bytes:
        """Return the JSON that travels."""
        left_out = {"traceparent"} if self.traceparent is None else None
        return self.model_dump_json(exclude=left_out).encode()


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "body"
    return f"{where}: {problem['msg']}"
