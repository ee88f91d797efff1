"""The operation that gives an auditor the sealed part of a snapshot."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.models import Reason
from services.gateway.admin.sealing import Sealing
from services.gateway.boards.evidence import TAR
from services.gateway.boards.names import SnapshotId
from services.gateway.web.endpoints import ADMIN, Reply
from services.gateway.web.middleware import stream_headers
from services.gateway.web.responses import PRIVATE
from services.gateway.web.router import Router

router: Final = Router("administration", access=ADMIN, reason=Reason)


@router.post(
    "/admin/snapshots/{id}/sealed-evidence",
    reply=Reply("The sealed part.", {TAR: None}),
    problems=("snapshot_not_found", "not_sealable"),
)
async def seal_evidence(
    sealing: Sealing, request: web.Request, id: SnapshotId, action: AdminAction
) -> web.StreamResponse:
    """Give out the sealed part of a snapshot.

    Replicates, what each record adds to a value, and verdicts: for an auditor who may hold the
    ground truth. `medvid verify --sealed` recomputes values and intervals from it. Only of a
    snapshot whose replicates are still those that are stored, as of a board's newest one.
    """
    found = await sealing.begin(id, action)
    name = f"medvidbench-{found.board}-{found.scoring}-{id}.sealed.tar"
    response = web.StreamResponse(
        headers={
            **stream_headers(request),
            **PRIVATE,
            "Content-Type": TAR,
            "Content-Disposition": f'attachment; filename="{name}"',
        }
    )
    await response.prepare(request)
    async for part in sealing.parts(found):
        await response.write(part)
    await response.write_eof()
    return response
