"""Tracks of challenges, and their final results."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Scoring
from medvid.models.base import Answer, Open
from medvid.models.boards import Leaderboard


class FinalResultsLink(Answer):
    """Where the final results of a track stay."""

    frozen_at: datetime
    snapshots: dict[Open[Scoring], int] = Field(description="of the community board, by scoring")
    url: str
    csv: str
    page: str


class ChallengeTrack(Answer):
    """A track of a challenge: what it asks for, and when."""

    id: str
    name: str = Field(description="what a submission's `track` says")
    state: Open[Literal["upcoming", "open", "grace", "closed", "final"]] = Field(
        description="upcoming: before `opens_at`; grace: closed, and still takes submissions until "
        "`ends_at`; closed: takes none any more; final: the results are frozen"
    )
    opens_at: datetime
    closes_at: datetime = Field(description="the first moment after it")
    ends_at: datetime = Field(description="the first moment at which nothing is taken any more")
    opens: str = Field(description="the same in words, anywhere on Earth (AoE) and in UTC")
    closes: str
    required: dict[str, str] = Field(
        description="fields of the form that it requires, and what is to be in them; a contact is "
        "an e-mail address and never public"
    )
    evaluate_only: bool = Field(description="whether evaluate-only submissions are taken")
    submissions_per_day: int | None = Field(
        description="of one API key, or one address without a key, in 24 hours; null: no limit"
    )
    submissions_total: int | None = Field(description="the same for ever")
    about: str
    rules: list[str]
    rules_url: str | None
    board: str = Field(description="its entries as they stand today, ranked among themselves")
    csv: str
    page: str
    final: FinalResultsLink | None = Field(description="null: not frozen yet")


class ChallengeTracks(Answer):
    """The tracks of this server."""

    tracks: list[ChallengeTrack]


class LeftSince(Answer):
    """An entry of final results that is not on the board any more."""

    entry_id: UUID
    state: Open[Literal["withdrawn", "removed", "replaced", "moved"]] = Field(
        description="withdrawn by its owner or an administrator; removed by an administrator; "
        "replaced by a newer version; moved to the official board"
    )
    at: datetime | None = Field(description="null: moved")


class FinalResults(Answer):
    """The final results of a track, which never change."""

    track: str = Field(description="its id")
    name: str
    frozen_at: datetime
    board: Leaderboard = Field(
        description="the track's entries as they stood then, ranked among themselves (`view_rank`)"
    )
    left_since: list[LeftSince] = Field(
        description="those of them that left the board afterwards; their places stay"
    )
