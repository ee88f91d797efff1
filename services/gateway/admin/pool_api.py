"""Operations of administration: the endpoints of the judge's pool."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from medvid.models.administration import ChangeAnswer, PoolEndpoints
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.models import Reason
from services.gateway.admin.pool import JudgePool, read_endpoint_name
from services.gateway.web.endpoints import ADMIN
from services.gateway.web.router import PathText, Router

router: Final = Router("administration", access=ADMIN, reason=Reason)
EndpointName = Annotated[
    str,
    Field(description="its name in the pool's file", json_schema_extra={"format": "endpoint-name"}),
    PathText(read_endpoint_name),
]
_CHANGED: Final = "Whether it changed."


@router.get("/admin/judging/endpoints", reply="All endpoints, by name.")
async def list_endpoints(pool: JudgePool) -> PoolEndpoints:
    """List the endpoints of the judge's pool.

    Empty where the judge has one endpoint. Addresses and keys are in no answer.
    """
    return PoolEndpoints(endpoints=list(await pool.endpoints()))


@router.post(
    "/admin/judging/endpoints/{name}/drain", reply=_CHANGED, problems=("endpoint_not_found",)
)
async def drain_endpoint(pool: JudgePool, name: EndpointName, action: AdminAction) -> ChangeAnswer:
    """Give an endpoint no call any more.

    Calls under way end; every judge follows within seconds, without a restart.
    """
    return ChangeAnswer(changed=await pool.drain(name, action))


@router.post(
    "/admin/judging/endpoints/{name}/restore", reply=_CHANGED, problems=("endpoint_not_found",)
)
async def restore_endpoint(
    pool: JudgePool, name: EndpointName, action: AdminAction
) -> ChangeAnswer:
    """Use an endpoint again.

    One that was drained, or that was taken out as it served another model.
    """
    return ChangeAnswer(changed=await pool.restore(name, action))
