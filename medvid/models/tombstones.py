"""What stays of entries that left their board."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import Answer, Open, Page
from medvid.models.notes import PublicNote


class RanksHad(Answer):
    """The ranks that an entry had in one scoring."""

    scoring: Open[Scoring]
    best: int = Field(ge=1)
    last: int = Field(ge=1)
    since: datetime
    until: datetime | None = Field(description="null: the board is about to be ranked without it")


class Successor(Answer):
    """Where to look instead: the newest version, or the same entry's other board."""

    board: Open[Board]
    entry_id: UUID
    url: str
    page: str


class Tombstone(Answer):
    """What is kept of an entry that left its board. Its address stays."""

    entry_id: UUID
    board: Open[Board]
    model_name: str | None = Field(description="null: erased by an administrator")
    organization: str | None
    version: int = Field(description="of the model")
    submitted_on: date
    state: Open[Literal["withdrawn", "removed", "replaced", "moved"]] = Field(
        description="withdrawn; removed by an administrator; replaced by a newer version; moved to "
        "the other board"
    )
    at: datetime | None = Field(description="when it left; null: moved")
    by: Open[Literal["owner", "administrator"]] | None = Field(
        description="who took it back; null: replaced or moved"
    )
    note: str | None = Field(description="why it was withdrawn, as far as that was said")
    ranks: list[RanksHad] = Field(description="that it had on this board, by scoring")
    successor: Successor | None = Field(description="null: there is none")
    notes: list[PublicNote] = Field(
        default_factory=list,
        description="objections to it and notes on it, at its own address; in lists none",
    )
    url: str
    page: str


class WithdrawnPage(Page):
    """Entries that had a rank and were taken off a board, the last one first."""

    board: Open[Board]
    entries: list[Tombstone]
    next_cursor: str | None
