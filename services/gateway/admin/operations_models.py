"""Models of administration: dead letters, ground truth, judging."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

import orjson
from pydantic import Field, RootModel, model_validator

from services.gateway.admin.dead_letters import DeadLetter, LetterState
from services.gateway.admin.models import Reason
from services.gateway.web.models import Answer
from services.gateway.web.parameters import Number, Parameters, Position, Sought

MOST_LETTERS = 1_000
Version = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LettersQuery(Parameters):
    """Which dead letters are asked for."""

    state: LetterState | None = "open"
    queue: Sought | None = None
    reason: Sought | None = None
    cursor: Position | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=500)


class DeadLetterView(Answer):
    """A message that could not be handled."""

    id: int
    state: LetterState
    queue: str
    type: str | None = Field(description="null: it could not be read")
    reason: str
    detail: str
    attempts: int
    died_at: datetime
    replayed_at: datetime | None
    discarded_at: datetime | None
    message: dict[str, Any] | None = Field(description="null: it cannot be replayed")

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """Build the response from a letter."""
        message = letter.message
        shown = message.model_dump(mode="json") if message is not None else None
        own = {"state", "message"}
        facts = {name: getattr(letter, name) for name in cls.model_fields if name not in own}
        return cls(**facts, state=letter.state, message=shown)


class LettersPage(Answer):
    """Dead letters, newest first; `next_cursor` is null on the last page."""

    letters: list[DeadLetterView]
    next_cursor: str | None


class LettersBody(Reason):
    """Which dead letters an action is about: those named, or all open ones that match."""

    ids: Annotated[list[Position], Field(min_length=1, max_length=MOST_LETTERS)] | None = None
    all: bool = Field(False, description=f"all that match, at most {MOST_LETTERS:,} at once")
    queue: Sought | None = None
    reason: Sought | None = Field(None, description="their code, as in the list")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.ids is None) == (not self.all):
            raise ValueError("either 'ids', or 'all' as true")
        return self


class LetterOutcome(Answer):
    """What became of one letter; `changed` is false where it was closed before."""

    id: int
    changed: bool
    problem: str | None = Field(None, description="why it stays open")


class LettersAnswer(Answer):
    """What became of each letter."""

    letters: list[LetterOutcome]


class GroundTruthView(Answer):
    """A version of the ground truth; its content is never served."""

    version: str
    samples: int
    current: bool = Field(description="uploads are checked against it")
    loaded_at: datetime
    submissions: int = Field(description="that were checked against it")

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Build the response from a row of `ground_truths`."""
        return cls(**row, current=row["active"])


class GroundTruthList(Answer):
    """All versions, the one loaded or chosen last first."""

    versions: list[GroundTruthView]


class LoadQuery(Parameters):
    """What goes with a file that is sent."""

    why: str = Field(description="a reason, for the audit log")
    current: bool = Field(False, description="make it the version uploads are checked against")


class ReloadBody(Reason):
    """Load a file of the server's own folder (MEDVID_GROUND_TRUTH_DIR)."""

    file: str = Field(description="its name, without a path")
    current: bool = False


class ChooseBody(Reason):
    """Choose the version that uploads are checked against."""

    version: Version


class LoadedView(Answer):
    """A file that was loaded; `new` is false where its version was there."""

    version: str
    samples: int
    new: bool
    current: bool


class JudgingView(Answer):
    """Whether judging is held, and its runs by state."""

    held_at: datetime | None = Field(description="null: judging goes on")
    held_why: str | None
    judge_version: str | None
    runs: dict[str, int]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Build the response from the row of `judging_state`."""
        return cls(**(dict(row) | {"runs": orjson.loads(row["runs"] or "{}")}))


class TruthFile(RootModel[list[dict[str, Any]]]):
    """A ground truth file: one record a sample (docs/SPEC.md, section 1)."""
