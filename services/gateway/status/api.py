"""The operation that reads the system's status."""

from __future__ import annotations

from typing import Final

from medvid.models.status import Status
from services.gateway.status.service import StatusReader
from services.gateway.web.endpoints import json_reply
from services.gateway.web.representations import Representation
from services.gateway.web.router import Router

router: Final = Router("status")


@router.get("/status", reply=json_reply("The system's status.", Status, etag=True))
async def read_status(reader: StatusReader) -> Representation:
    """Is everything moving?

    Stages of a submission's way with what waits, for how long, and an estimate; whether judging is
    up; how fresh the boards are. It answers also when the database does not: the state then is
    unknown.
    """  # noqa: D400 - the summary is a question
    return (await reader.ready()).json
