"""The system's status."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from medvid.benchmark.tasks import Board
from medvid.models.base import Answer, Open
from medvid.models.judging import JudgeInForce

StageState = Literal["idle", "moving", "slow", "standing", "paused", "off", "unknown"]
Overall = Literal["moving", "slow", "standing", "unknown"]


class StageStatus(Answer):
    """One step of a submission's way."""

    stage: Open[Literal["scoring", "ranking", "judging"]]
    state: Open[StageState] = Field(
        description="idle, moving, slow, standing (still), paused, off, or unknown"
    )
    says: str = Field(description="the same for a human")
    waiting: int | None = Field(description="submissions, or runs of the judge, not done yet")
    oldest_seconds: float | None = Field(description="how long the oldest of them waits")
    typical_seconds: float | None = Field(description="median of what the stage took lately")
    eta_seconds: float | None = Field(
        description="estimate of what new work would take now; null where nothing supports one"
    )


class BoardFreshness(Answer):
    """How fresh a board is."""

    board: Open[Board]
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

    state: Open[Overall]
    says: str = Field(description="the same for a human")
    checked_at: datetime
    figures_age_seconds: float | None = Field(description="how old the figures were then")
    notice: Notice | None
    stages: list[StageStatus]
    judge: JudgeInForce | None = Field(None, description="null: not known right now")
    boards: list[BoardFreshness]
