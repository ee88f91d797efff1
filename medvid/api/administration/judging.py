"""Calls about judging as a whole, the judge's pool and what it cost."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

from medvid.api.administration.actions import do
from medvid.api.calls import get, text_of
from medvid.api.judging import explained_verdicts
from medvid.api.methods import method, stream
from medvid.api.transport import Transport
from medvid.models.administration import ChangeAnswer, CostsPage, JudgingView, PoolEndpoints


async def judging(transport: Transport) -> JudgingView:
    """Return whether judging is paused, and its runs by state."""
    return await transport.ask(get("/admin/judging"), JudgingView)


async def pause_judging(transport: Transport, *, why: str) -> ChangeAnswer:
    """Pause all judging, also of runs to come."""
    return await do(transport, "/judging/pause", ChangeAnswer, why)


async def resume_judging(transport: Transport, *, why: str) -> ChangeAnswer:
    """Resume judging."""
    return await do(transport, "/judging/resume", ChangeAnswer, why)


async def endpoints(transport: Transport) -> PoolEndpoints:
    """Return the endpoints of the judge's pool; none where it has one endpoint."""
    return await transport.ask(get("/admin/judging/endpoints"), PoolEndpoints)


async def drain_endpoint(transport: Transport, name: str, *, why: str) -> ChangeAnswer:
    """Give an endpoint of the pool no call any more."""
    return await do(transport, f"/judging/endpoints/{quote(name, '')}/drain", ChangeAnswer, why)


async def restore_endpoint(transport: Transport, name: str, *, why: str) -> ChangeAnswer:
    """Use an endpoint again that was drained, or taken out for serving another model."""
    return await do(transport, f"/judging/endpoints/{quote(name, '')}/restore", ChangeAnswer, why)


async def costs(
    transport: Transport,
    *,
    by: str = "run",
    since: date | str | None = None,
    until: date | str | None = None,
    page: int = 1,
    page_size: int = 1_000,
) -> CostsPage:
    """Return what judging cost by run, submission, judge, endpoint or day, the latest first.

    `since` and `until` are the first and the last day (UTC).
    """
    call = get("/admin/costs", by=by, since=since, until=until, page=page, page_size=page_size)
    return await transport.ask(call, CostsPage)


async def export_costs(
    transport: Transport,
    *,
    by: str = "run",
    since: date | str | None = None,
    until: date | str | None = None,
) -> str:
    """Return the same as CSV, at most 20,000 lines."""
    call = get("/admin/costs", by=by, since=since, until=until, format="csv", page_size=20_000)
    return await transport.repeating(call, text_of)


class JudgingMethods:
    """Calls about judging, in the form of the client that has them."""

    verdicts = stream(explained_verdicts)
    judging = method(judging)
    pause_judging = method(pause_judging)
    resume_judging = method(resume_judging)
    endpoints = method(endpoints)
    drain_endpoint = method(drain_endpoint)
    restore_endpoint = method(restore_endpoint)
    costs = method(costs)
    export_costs = method(export_costs)
