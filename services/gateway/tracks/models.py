"""What the API answers about tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from medvid.benchmark.tasks import Scoring
from medvid.models.boards import Leaderboard
from medvid.models.tracks import ChallengeTrack, FinalResults, FinalResultsLink, LeftSince
from services.gateway.boards.models import MeasuredBoard, page_of
from services.gateway.boards.views import BoardViews
from services.gateway.tracks.rules import TrackRules, moment
from services.gateway.tracks.service import FrozenResults
from services.gateway.web.urls import url


def challenge_track(
    track: TrackRules, final: FrozenResults | None, now: datetime
) -> ChallengeTrack:
    """Build the response."""
    return ChallengeTrack(
        id=track.id,
        name=track.name,
        state=track.state(now, final=final is not None),
        opens_at=track.opens_at,
        closes_at=track.closes_at,
        ends_at=track.ends_at,
        opens=moment(track.opens_at),
        closes=moment(track.closes_at, ends=True),
        required=dict(track.required),
        evaluate_only=track.evaluate_only,
        submissions_per_day=track.submissions_per_day,
        submissions_total=track.submissions_total,
        about=track.about,
        rules=list(track.rules),
        rules_url=track.rules_url,
        board=url("api_board", board="community", query={"track": track.name}),
        csv=url("api_board_csv", board="community", query={"track": track.name}),
        page=url("track", track=track.id),
        final=None if final is None else _link(track, final),
    )


def _link(track: TrackRules, final: FrozenResults) -> FinalResultsLink:
    address = url("api_track_final", track=track.id)
    return FinalResultsLink(
        frozen_at=final.frozen_at,
        snapshots=dict(final.snapshots),
        url=address,
        csv=f"{address}?format=csv",
        page=url("track_final", track=track.id),
    )


async def final_board(
    views: BoardViews, final: FrozenResults, scoring: Scoring, address: str
) -> MeasuredBoard:
    """Return a track's entries as they stood at its end, ranked among themselves."""
    shown = await views.snapshot(final.snapshots[scoring], address=address)
    return page_of(shown, track=final.name, offset=0, limit=None, form="json")


def final_results(
    track_id: str, final: FrozenResults, board: Leaderboard, left: Sequence[Mapping[str, Any]]
) -> FinalResults:
    """Build the response."""
    return FinalResults(
        track=track_id,
        name=final.name,
        frozen_at=final.frozen_at,
        board=board,
        left_since=[LeftSince(**each) for each in left],
    )
