"""The ranks that entries of a board had, a line each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import Answer, Open


class BoardRank(Answer):
    """A rank of an entry for as long as it lasted."""

    board: Open[Board]
    entry_id: UUID
    model_name: str
    organization: str
    scoring: Open[Scoring]
    rank: int = Field(ge=1)
    since: datetime
    until: datetime | None = Field(description="null: it stands there now")
    snapshot: str = Field(description="the first board that shows it, while that is kept")
