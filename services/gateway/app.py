"""Joins the gateway: its services, pages and server, and what it does in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiohttp import web

from services.gateway.boards.api import ready_first
from services.gateway.boards.current import Boards
from services.gateway.boards.feeds import Feeds, feed_routes
from services.gateway.pages.account_pages import AccountPages
from services.gateway.pages.admin_pages import AdminPages
from services.gateway.pages.admin_sections import all_sections, downloads
from services.gateway.pages.changes_page import ChangesPage
from services.gateway.pages.description import describe, description_routes
from services.gateway.pages.figure_pages import FigurePages
from services.gateway.pages.redirects import redirect_routes
from services.gateway.pages.rendering import Pages
from services.gateway.pages.routes import PublicPages
from services.gateway.pages.security_txt import security_routes
from services.gateway.pages.submission_pages import SubmissionPages
from services.gateway.pages.track_pages import TrackPages
from services.gateway.pages.verdict_pages import VerdictPages
from services.gateway.pages.well_known import WellKnownFiles
from services.gateway.parts import Parts, build
from services.gateway.settings import GatewaySettings
from services.gateway.submissions.spool import spool
from services.gateway.submissions.validation import yield_to_reads
from services.gateway.web.endpoints import Endpoint, Handle, refuse_undeclared, register
from services.gateway.web.middleware import boundary, expecting, named
from services.gateway.web.server import ConnectionLimits, Runner, open_public_door, serving
from services.gateway.web.tracing import traced
from services.gateway.webhooks import api as webhook_api
from services.gateway.webhooks.delivery import Deliveries, DeliverWebhooks
from services.gateway.webhooks.sender import HttpSender
from shared.contracts.messages import (
    BoardRanked,
    JudgingProgressed,
    ScoringFailed,
    StatisticsComputed,
)
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.listening import Door
from shared.runtime.ops import ops_routes
from shared.runtime.workers import WorkerPool

_FORGET_SECONDS: Final = 3600.0
_BOARD_HINTS: Final = (BoardRanked.type, StatisticsComputed.type)
_EVENT_HINTS: Final = (BoardRanked.type, ScoringFailed.type, JudgingProgressed.type)
_LEASE_MARGIN_SECONDS: Final = 30.0
"""A lease outlives the delivery attempt that holds it by this much."""


@asynccontextmanager
async def run(
    infrastructure: Infrastructure, settings: GatewaySettings, door: Door = ()
) -> AsyncIterator[None]:
    """Serve until left, at a door that is open or at the settings' address; then finish."""
    async with AsyncExitStack() as stack:
        stack.enter_context(settings.site.serving())
        pool = WorkerPool(settings.validation_workers, name="validator", initializer=yield_to_reads)
        stack.push_async_callback(pool.close)
        await pool.start()
        folder = stack.enter_context(spool(settings.upload_dir))
        parts = build(infrastructure.database, pool, folder, settings)
        await parts.boards.refresh()
        for kinds, hint in ((_BOARD_HINTS, parts.boards.hint), (_EVENT_HINTS, parts.streams.hint)):
            listening = await infrastructure.bus.listen(kinds, hint)
            stack.push_async_callback(listening.stop)
        _work_in_background(infrastructure, parts, settings)
        app = _application(parts, infrastructure, settings)
        around = surroundings(parts.boards, parts.pages)
        idle = ConnectionLimits(settings.head_seconds, settings.idle_seconds, settings.connections)
        seconds, page = settings.drain_seconds, parts.pages.error
        runner = Runner(app, around, drain_seconds=seconds, error_page=page, limits=idle)
        door = door or open_public_door(settings.host, settings.port)
        await stack.enter_async_context(serving(runner, door))
        yield


def _work_in_background(
    infrastructure: Infrastructure, parts: Parts, settings: GatewaySettings
) -> None:
    lease = settings.webhook_seconds + _LEASE_MARGIN_SECONDS
    deliveries = Deliveries(infrastructure.database, lease)
    searching = parts.submissions.lifecycle.count_searching
    infrastructure.background("gateway_boards", parts.boards.keep_current)
    infrastructure.background("gateway_events", parts.streams.keep_current)
    infrastructure.background("gateway_webhooks", lambda: _deliver_webhooks(deliveries, settings))
    infrastructure.repeat("gateway_quotas", parts.accounts.prune, _FORGET_SECONDS)
    infrastructure.repeat("webhooks_forget", deliveries.prune, _FORGET_SECONDS)
    infrastructure.repeat("accounts_searching", searching, _FORGET_SECONDS)
    if parts.tracks.tracks.all:
        infrastructure.repeat("tracks_freeze", parts.tracks.freeze_due, settings.patrol_seconds)


def _application(
    parts: Parts, infrastructure: Infrastructure, settings: GatewaySettings
) -> web.Application:
    pages, boards, history = parts.pages, parts.boards, parts.history
    callers, quotas = parts.accounts.callers, parts.accounts.quotas
    site = settings.site
    description = describe(parts.endpoints(), [webhook_api.SUBMISSION_CHANGED], site)
    others = [
        *ChangesPage(parts.notes, pages).routes(),
        *feed_routes(Feeds(boards, history, parts.notes, site)),
        *PublicPages(
            boards,
            parts.views,
            parts.made,
            history,
            parts.departed,
            pages,
            parts.status,
            callers.address,
        ).routes(),
        *parts.elsewhere.routes(),
        *security_routes(settings.security_contact, site),
        *WellKnownFiles(boards, pages, challenges=bool(parts.tracks.tracks.all)).routes(),
        *SubmissionPages(
            pages,
            parts.uploads,
            parts.submissions,
            parts.receiver,
            callers,
            quotas,
            parts.tracks,
            parts.test_set,
        ).routes(),
        *VerdictPages(pages, parts.judging, callers).routes(),
        *FigurePages(boards, parts.figures, parts.made, pages, callers.address).routes(),
        *AccountPages(
            pages,
            parts.accounts.sign_in,
            parts.accounts.devices,
            parts.submissions,
            quotas,
            callers,
        ).routes(),
        *TrackPages(parts.tracks, boards, parts.views, parts.made, pages, callers.address).routes(),
        *AdminPages(
            pages, parts.sessions, parts.admin, all_sections(parts.admin), downloads(parts.admin)
        ).routes(),
        *description_routes(description, pages, site),
        # Where figures have a port of their own, the public one keeps them to itself.
        *ops_routes(infrastructure.readiness, metrics=not settings.ops_port),
        *redirect_routes(),
    ]
    app = application(description.endpoints, others)
    app.on_shutdown.extend([parts.streams.stop, parts.board_streams.stop])
    return app


def application(endpoints: Sequence[Endpoint], others: Sequence[web.RouteDef]) -> web.Application:
    """Join the routes; raises ValueError where one of the others is part of the API."""
    app = web.Application()
    register(app, endpoints)
    app.add_routes(others)
    refuse_undeclared(app)
    return app


def surroundings(boards: Boards, pages: Pages) -> Callable[[Handle], Handle]:
    """Return what goes around the application: errors outermost, then the way past routing."""

    def around(handle: Handle) -> Handle:
        return boundary(ready_first(boards, named(expecting(traced(handle)))), pages.error)

    return around


async def _deliver_webhooks(deliveries: Deliveries, settings: GatewaySettings) -> None:
    sender = HttpSender(
        private_networks=settings.webhook_private_networks, seconds=settings.webhook_seconds
    )
    async with sender:
        await DeliverWebhooks(
            deliveries,
            sender,
            attempts=settings.webhook_attempts,
            first_seconds=settings.webhook_retry_seconds,
            poll_seconds=settings.webhook_poll_seconds,
        ).forever()
