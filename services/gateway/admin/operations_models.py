"""Models of administration: dead letters, ground truth, judging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import orjson
from pydantic import Field, RootModel, model_validator

from medvid.models.administration import DeadLetterView, GroundTruthView, JudgingView, LetterState
from medvid.models.judging import JudgeInForce
from services.gateway.admin.dead_letters import DeadLetter
from services.gateway.admin.models import Reason
from services.gateway.web.parameters import Number, Parameters, Position, Sought

MOST_LETTERS = 1_000
Version = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LettersQuery(Parameters):
    """Which dead letters are asked for."""

    state: LetterState | None = Field("open", description="what became of them")
    queue: Sought | None = Field(None, description="the queue on which the message died")
    reason: Sought | None = Field(None, description="the code of what went wrong")
    cursor: Position | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=500, description="dead letters a page")


def dead_letter(letter: DeadLetter) -> DeadLetterView:
    """Build the response from a letter."""
    message = letter.message
    shown = message.model_dump(mode="json") if message is not None else None
    own = {"state", "message"}
    facts = {name: getattr(letter, name) for name in DeadLetterView.model_fields if name not in own}
    return DeadLetterView(**facts, state=letter.state, message=shown)


class LettersBody(Reason):
    """Which dead letters an action is about: those named, or all open ones that match."""

    ids: Annotated[list[Position], Field(min_length=1, max_length=MOST_LETTERS)] | None = Field(
        None, description="those with these ids, as in the list"
    )
    all: bool = Field(False, description=f"all that match, at most {MOST_LETTERS:,} at once")
    queue: Sought | None = Field(None, description="their queue, as in the list")
    reason: Sought | None = Field(None, description="their code, as in the list")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.ids is None) == (not self.all):
            raise ValueError("either 'ids', or 'all' as true")
        return self


def ground_truth(row: Mapping[str, Any]) -> GroundTruthView:
    """Build the response from a row of `ground_truths`."""
    return GroundTruthView(**row, current=row["active"])


class LoadQuery(Parameters):
    """What goes with a file that is sent."""

    why: str = Field(description="a reason, for the audit log", examples=["a new edition"])
    current: bool = Field(False, description="make it the version uploads are checked against")


class ReloadBody(Reason):
    """Load a file of the server's own folder (MEDVID_GROUND_TRUTH_DIR)."""

    file: str = Field(description="its name, without a path", examples=["ground_truth.json"])
    current: bool = Field(False, description="make it the version uploads are checked against")


class ChooseBody(Reason):
    """Choose the version that uploads are checked against."""

    version: Version = Field(description="the SHA-256 of its file, as in the list")


def judging_state(row: Mapping[str, Any], judge: JudgeInForce) -> JudgingView:
    """Build the response from the row of `judging_state`."""
    runs = orjson.loads(row["runs"] or "{}")
    return JudgingView(
        **(dict(row) | {"runs": runs}), judge_version=judge.judge_version, judge=judge
    )


class TruthFile(RootModel[list[dict[str, Any]]]):
    """A ground truth file: one record a sample (docs/SPEC.md, section 1)."""
