"""Models of the system's status."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from medvid.benchmark.tasks import Board
from services.gateway.status.rules import Overall, Stage, StageState, SystemStatus
from services.gateway.web.models import Answer


class StageStatus(Answer):
    """One step of a submission's way."""

    stage: Literal["scoring", "ranking", "judging"]
    state: StageState = Field(
        description="idle, moving, slow, standing (still), paused, off, or unknown"
    )
    says: str = Field(description="the same for a human")
    waiting: int | None = Field(description="submissions, or runs of the judge, not done yet")
    oldest_seconds: float | None = Field(description="how long the oldest of them waits")
    typical_seconds: float | None = Field(description="median of what the stage took lately")
    eta_seconds: float | None = Field(
        description="estimate of what new work would take now; null where nothing supports one"
    )

    @classmethod
    def of(cls, stage: Stage) -> Self:
        """Build the response from a stage."""
        return cls(
            stage=stage.name,
            state=stage.state,
            says=stage.says,
            waiting=stage.waiting,
            oldest_seconds=_rounded(stage.oldest),
            typical_seconds=_rounded(stage.typical),
            eta_seconds=_rounded(stage.eta),
        )


class BoardFreshness(Answer):
    """How fresh a board is."""

    board: Board
    updated_at: datetime | None = Field(description="when its newest snapshot was written")
    behind_seconds: float | None = Field(
        description="for how long that lacks a change; 0 when it is up to date"
    )


class Notice(Answer):
    """What the operators say about an incident."""

    text: str
    since: datetime


class Status(Answer):
    """Whether everything is moving."""

    state: Overall
    says: str = Field(description="the same for a human")
    checked_at: datetime
    figures_age_seconds: float | None = Field(description="how old the figures were then")
    notice: Notice | None
    stages: list[StageStatus]
    boards: list[BoardFreshness]


def status(
    assessed: SystemStatus,
    updates: dict[Board, datetime | None],
    notice: Notice | None,
    checked_at: datetime,
) -> Status:
    """Build the response."""
    return Status(
        state=assessed.state,
        says=assessed.says,
        checked_at=checked_at,
        figures_age_seconds=_rounded(assessed.age),
        notice=notice,
        stages=[StageStatus.of(stage) for stage in assessed.stages],
        boards=[
            BoardFreshness(
                board=board, updated_at=at, behind_seconds=_rounded(assessed.behind.get(board))
            )
            for board, at in updates.items()
        ],
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
