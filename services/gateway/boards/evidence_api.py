"""Operations by which a stranger recomputes a board."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from medvid.benchmark.tasks import Scoring
from medvid.models.boards import EvidenceKeys
from services.gateway.boards.evidence import TAR, BoardEvidence
from services.gateway.boards.names import BoardName
from services.gateway.web.endpoints import Reply
from services.gateway.web.parameters import Number, Parameters
from services.gateway.web.representations import Representation
from services.gateway.web.router import Router

router: Final = Router("boards")


class EvidenceQuery(Parameters):
    """Which snapshot's evidence is asked for."""

    snapshot: Annotated[Number, Field(ge=1, lt=10**18)] | None = Field(
        None, description="its number; without it, the board's newest"
    )
    scoring: Scoring = Field("compat", description="of the newest snapshot")


@router.get(
    "/leaderboards/{board}/evidence",
    reply=Reply("The archive.", {TAR: None}, etag=True),
    problems=("board_not_found", "snapshot_not_found"),
)
async def read_evidence(
    evidence: BoardEvidence, board: BoardName, query: EvidenceQuery, address: str
) -> Representation:
    """Read the evidence of a board.

    A tar archive with the ranked rows of a snapshot, its values to 4 decimals by what they were
    computed from, its statistics, and the signed chain of links up to it. `medvid verify`
    recomputes the board from it. The same snapshot gives the same bytes; its statistics are in it
    once they are computed. Of a snapshot that was thinned out only the links are left.
    """
    return await evidence.archive(board, query.scoring, query.snapshot, address=address)


@router.get("/evidence/keys", reply="The keys.")
async def list_signing_keys(evidence: BoardEvidence) -> EvidenceKeys:
    """List the keys that sign links.

    Ed25519 public keys, the first used one first. A key that is no longer used stays listed.
    """
    return await evidence.keys()
