"""Models of the system's status."""

from __future__ import annotations

from datetime import datetime

from medvid.benchmark.tasks import Board
from medvid.models.judging import JudgeInForce
from medvid.models.status import BoardFreshness, Notice, StageStatus, Status
from services.gateway.status.rules import Stage, SystemStatus


def _stage_status(stage: Stage) -> StageStatus:
    """Build the response from a stage."""
    return StageStatus(
        stage=stage.name,
        state=stage.state,
        says=stage.says,
        waiting=stage.waiting,
        oldest_seconds=_rounded(stage.oldest),
        typical_seconds=_rounded(stage.typical),
        eta_seconds=_rounded(stage.eta),
    )


def status(
    assessed: SystemStatus,
    updates: dict[Board, datetime | None],
    notice: Notice | None,
    judge: JudgeInForce | None,
    checked_at: datetime,
) -> Status:
    """Build the response."""
    return Status(
        state=assessed.state,
        says=assessed.says,
        checked_at=checked_at,
        figures_age_seconds=_rounded(assessed.age),
        notice=notice,
        judge=judge,
        stages=[_stage_status(stage) for stage in assessed.stages],
        boards=[
            BoardFreshness(
                board=board, updated_at=at, behind_seconds=_rounded(assessed.behind.get(board))
            )
            for board, at in updates.items()
        ],
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
