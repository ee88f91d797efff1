"""Operations that read tracks and their final results."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from medvid.benchmark.tasks import Scoring
from medvid.models.tracks import ChallengeTrack, ChallengeTracks, FinalResults
from services.gateway.boards.cursors import Form
from services.gateway.boards.forms import BOARD_TYPES, accepted_form
from services.gateway.boards.views import BoardViews
from services.gateway.tracks.models import challenge_track, final_board, final_results
from services.gateway.tracks.service import TrackService
from services.gateway.web.endpoints import JSON, Reply
from services.gateway.web.parameters import Parameters
from services.gateway.web.representations import Representation, represent
from services.gateway.web.router import PathText, Router
from services.gateway.web.security import READ_HEADERS

router: Final = Router("tracks")
_CACHED: Final = "public, max-age=1, must-revalidate"
TrackId = Annotated[
    str,
    Field(description="the track's id, as in the list", json_schema_extra={"format": "track-id"}),
    PathText(str),
]


class FinalQuery(Parameters):
    """Which final results are asked for."""

    scoring: Scoring = Field("compat", description="the values that are ranked")
    format: Form | None = Field(None, description="wins over the Accept header")


@router.get("/tracks", reply="The tracks.")
async def list_tracks(tracks: TrackService) -> ChallengeTracks:
    """List the tracks of challenges.

    In the order of the operator's file; none where there are no challenges.
    """
    finals = await tracks.finals()
    now = tracks.now()
    return ChallengeTracks(
        tracks=[challenge_track(each, finals.get(each.id), now) for each in tracks.tracks.all]
    )


@router.get("/tracks/{track}", reply="The track.", problems=("track_not_found",))
async def read_track(tracks: TrackService, track: TrackId) -> ChallengeTrack:
    """Read a track of a challenge.

    When it takes submissions, what it requires, its rules, and where its board is.
    """
    found = tracks.find(track)
    return challenge_track(found, (await tracks.finals()).get(found.id), tracks.now())


@router.get(
    "/tracks/{track}/final",
    reply=Reply(
        "The final results.",
        dict.fromkeys(BOARD_TYPES) | {JSON: FinalResults},
        etag=True,
    ),
    problems=("track_not_found", "track_not_final"),
)
async def read_final(
    tracks: TrackService,
    views: BoardViews,
    request: web.Request,
    track: TrackId,
    query: FinalQuery,
    address: str,
) -> Representation:
    """Read the final results of a track.

    They were frozen when the track had ended and every submission to it was scored and judged, and
    are kept for ever. What was withdrawn afterwards keeps its place, and is named in `left_since`.
    """
    found = tracks.find(track)
    final = await tracks.final(found)
    form = query.format or accepted_form(request)
    snapshot = final.snapshots[query.scoring]
    if form != "json":
        return await views.permalink(snapshot, form, track=final.name, address=address)
    board = await final_board(views, final, query.scoring, address)
    left = await tracks.left_since([entry.entry_id for entry in board.entries])
    body = final_results(found.id, final, board, left).model_dump_json().encode()
    headers = {**READ_HEADERS, "Vary": "Accept, Accept-Encoding"}
    return represent(body, content_type=JSON, cache_control=_CACHED, headers=headers)
