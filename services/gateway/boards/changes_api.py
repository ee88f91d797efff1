"""The operation that reads what changed on boards apart from their entries."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from medvid.benchmark.tasks import Board
from medvid.models.notes import ChangesAnswer
from services.gateway.boards.current import CACHE_CONTROL
from services.gateway.boards.notes import PublicNotes
from services.gateway.web.endpoints import JSON, json_reply
from services.gateway.web.parameters import Parameters
from services.gateway.web.representations import Representation, represent
from services.gateway.web.router import Router
from services.gateway.web.security import READ_HEADERS

router: Final = Router("boards")


class ChangesQuery(Parameters):
    """Whose changes are asked for."""

    board: Board | None = Field(None, description="of this board; left out, of both")


@router.get("/changes", reply=json_reply("The changes.", ChangesAnswer, etag=True))
async def read_changes(notes: PublicNotes, query: ChangesQuery) -> Representation:
    """Read what changed on boards.

    Apart from entries: the ranking rule, the versions of metrics and ground truth behind the
    values, the judge; errata of snapshots, and what administrators note. The same as the feed at
    `/changes/feed.atom`.
    """
    found = await notes.changes(query.board)
    return represent(
        found.model_dump_json().encode(),
        content_type=JSON,
        cache_control=CACHE_CONTROL,
        headers=READ_HEADERS,
    )
