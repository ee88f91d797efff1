"""Builds the gateway: the only place where its adapters are made and joined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from services.gateway.accounts import api as account_api
from services.gateway.admin import entries_api as admin_entries_api
from services.gateway.admin import evidence_api as admin_evidence_api
from services.gateway.admin import notes_api as admin_notes_api
from services.gateway.admin import operations_api as admin_operations_api
from services.gateway.admin import pool_api as admin_pool_api
from services.gateway.admin import succession_api as admin_succession_api
from services.gateway.admin.audit_log import AuditLog
from services.gateway.admin.board_series import BoardsSeries
from services.gateway.admin.board_settings import BoardSettings
from services.gateway.admin.costs import Costs
from services.gateway.admin.dead_letters import DeadLetters
from services.gateway.admin.entries import EntryActions
from services.gateway.admin.ground_truths import GroundTruths
from services.gateway.admin.imports import BoardFiles
from services.gateway.admin.judging_hold import HoldJudging
from services.gateway.admin.notes import ManageNotes
from services.gateway.admin.pool import JudgePool
from services.gateway.admin.rereading import Rereading
from services.gateway.admin.rescoring import Rescoring
from services.gateway.admin.sealing import Sealing
from services.gateway.admin.succession import Succession
from services.gateway.boards import api as board_api
from services.gateway.boards import changes_api, evidence_api, exports_api, figures_api
from services.gateway.boards.api import ready_first
from services.gateway.boards.current import Boards
from services.gateway.boards.events import BoardStreams
from services.gateway.boards.evidence import BoardEvidence
from services.gateway.boards.exports import ResultFiles
from services.gateway.boards.feeds import Feeds, feed_routes
from services.gateway.boards.figures import BoardFigures
from services.gateway.boards.notes import PublicNotes
from services.gateway.boards.standings import standing_of
from services.gateway.boards.store import SnapshotStore
from services.gateway.boards.views import BoardViews
from services.gateway.boards.withdrawn import GoneEntries
from services.gateway.judging import api as judging_api
from services.gateway.judging.service import JudgingService
from services.gateway.judging.store import JudgingStore
from services.gateway.limits import status_limits, upload_limits, waiting_limits
from services.gateway.objections import api as objection_api
from services.gateway.objections.service import ObjectionService
from services.gateway.pages import admin_parts
from services.gateway.pages.account_pages import AccountPages
from services.gateway.pages.admin_pages import AdminPages
from services.gateway.pages.admin_sections import all_sections, downloads
from services.gateway.pages.admin_sessions import Sessions
from services.gateway.pages.changes_page import ChangesPage
from services.gateway.pages.description import describe, description_routes
from services.gateway.pages.figure_pages import FigurePages
from services.gateway.pages.redirects import redirect_routes
from services.gateway.pages.rendering import Pages
from services.gateway.pages.routes import PublicPages
from services.gateway.pages.security_txt import security_routes
from services.gateway.pages.shown_elsewhere import ShownElsewhere
from services.gateway.pages.submission_pages import SubmissionPages
from services.gateway.pages.track_pages import TrackPages
from services.gateway.pages.verdict_pages import VerdictPages
from services.gateway.pages.views import PageViews
from services.gateway.pages.well_known import WellKnownFiles
from services.gateway.people import Accounts, build_accounts
from services.gateway.settings import GatewaySettings
from services.gateway.sign_in import api as sign_in_api
from services.gateway.status import api as status_api
from services.gateway.status.service import PostgresStatus, StatusReader
from services.gateway.submissions import api as submission_api
from services.gateway.submissions import facts_api, own_files_api
from services.gateway.submissions import test_set as test_set_api
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.events import EventStreams, SubmissionEvents
from services.gateway.submissions.facts import OwnFacts
from services.gateway.submissions.lifecycle import Lifecycle
from services.gateway.submissions.receiver import Receiver
from services.gateway.submissions.service import SubmissionService
from services.gateway.submissions.spool import spool
from services.gateway.submissions.store import SubmissionStore
from services.gateway.submissions.test_set import PublishedTestSet
from services.gateway.submissions.uploads import UploadService
from services.gateway.submissions.validation import Validator, yield_to_reads
from services.gateway.tracks import api as track_api
from services.gateway.tracks.configuration import read_tracks
from services.gateway.tracks.service import TrackService
from services.gateway.web.endpoints import Endpoint, Handle, refuse_undeclared, register
from services.gateway.web.middleware import boundary, expecting, named
from services.gateway.web.server import ConnectionLimits, Runner, open_public_door, serving
from services.gateway.web.tracing import traced
from services.gateway.webhooks import api as webhook_api
from services.gateway.webhooks.delivery import Deliveries, DeliverWebhooks
from services.gateway.webhooks.sender import HttpSender
from services.gateway.webhooks.service import Webhooks
from shared.contracts.messages import (
    BoardRanked,
    JudgingProgressed,
    ScoringFailed,
    StatisticsComputed,
)
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.listening import Door
from shared.runtime.ops import ops_routes
from shared.runtime.truth_workers import TruthWorkers
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database

_FORGET_SECONDS: Final = 3600.0
_FEATURES: Final = (
    board_api, exports_api, figures_api, evidence_api, changes_api, track_api, submission_api,
    facts_api, own_files_api, objection_api, test_set_api, judging_api, account_api, sign_in_api,
    webhook_api, status_api,
    admin_entries_api, admin_operations_api, admin_succession_api, admin_evidence_api,
    admin_pool_api, admin_notes_api,
)  # fmt: skip
_BOARD_HINTS: Final = (BoardRanked.type, StatisticsComputed.type)
_EVENT_HINTS: Final = (BoardRanked.type, ScoringFailed.type, JudgingProgressed.type)
_LEASE_MARGIN_SECONDS: Final = 30.0
"""A lease outlives the delivery attempt that holds it by this much."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the gateway is made of."""

    accounts: Accounts
    admin: admin_parts.Parts
    board_streams: BoardStreams
    boards: Boards
    evidence: BoardEvidence
    departed: GoneEntries
    figures: BoardFigures
    elsewhere: ShownElsewhere
    history: SnapshotStore
    judging: JudgingService
    made: PageViews
    notes: PublicNotes
    objections: ObjectionService
    own_facts: OwnFacts
    own_files: own_files_api.OwnFiles
    pages: Pages
    receiver: Receiver
    results: ResultFiles
    sealing: Sealing
    sessions: Sessions
    status: StatusReader
    streams: EventStreams
    submissions: SubmissionService
    test_set: PublishedTestSet
    tracks: TrackService
    uploads: UploadService
    views: BoardViews
    webhooks: Webhooks

    def endpoints(self) -> list[Endpoint]:
        """Return the operations of every feature, with the services that they need."""
        services = [
            *(getattr(self, each.name) for each in fields(self)),
            *(getattr(self.admin, each.name) for each in fields(self.admin)),
            self.accounts.quotas,
            self.accounts.devices,
        ]
        return [
            endpoint
            for feature in _FEATURES
            for endpoint in feature.router.endpoints(self.accounts.callers, *services)
        ]


def _build(database: Database, pool: WorkerPool, folder: Path, settings: GatewaySettings) -> _Parts:
    challenges = read_tracks(settings.challenges)
    settling = timedelta(seconds=settings.validation_seconds)
    tracks = TrackService(database, challenges, settling)
    accounts = build_accounts(database, settings)
    pages = Pages(settings.site, challenges=bool(challenges.all), sign_in=accounts.rules.sign_in)
    history = SnapshotStore(database)
    boards = Boards(history, pages.board, poll_seconds=settings.board_poll_seconds)
    store, lifecycle = SubmissionStore(database), Lifecycle(database)
    callers, quotas = accounts.callers, accounts.quotas
    owners = SubmissionAccess(store, accounts.rules)
    judging = JudgingService(
        owners, JudgingStore(database), quotas, settings.judge_estimate_seconds
    )
    submissions = SubmissionService(
        store, lifecycle, owners, judging, partial(standing_of, boards, history)
    )
    rescoring = Rescoring(database)
    return _Parts(
        accounts=accounts,
        admin=admin_parts.Parts(
            entries=EntryActions(database),
            files=BoardFiles(database),
            boards=BoardSettings(database),
            series=BoardsSeries(database),
            letters=DeadLetters(database),
            truths=GroundTruths(database, pool, settings.ground_truth_dir),
            rescoring=rescoring,
            rereading=Rereading(database, rescoring),
            succession=Succession(database, rescoring),
            hold=HoldJudging(database),
            notes=ManageNotes(database),
            costs=Costs(database),
            pool=JudgePool(database),
            log=AuditLog(database),
            submissions=submissions,
            judging=judging,
            keys=accounts.keys,
        ),
        board_streams=BoardStreams(boards, limit=settings.board_streams),
        boards=boards,
        evidence=BoardEvidence(database, boards, limits=waiting_limits(settings)),
        departed=GoneEntries(database),
        figures=BoardFigures(boards, history, limits=waiting_limits(settings)),
        elsewhere=ShownElsewhere(
            boards, pages, pool, callers.address, limits=waiting_limits(settings)
        ),
        history=history,
        judging=judging,
        made=PageViews(pages, limits=waiting_limits(settings)),
        notes=PublicNotes(database),
        objections=ObjectionService(database, owners),
        own_facts=OwnFacts(database, owners),
        own_files=own_files_api.OwnFiles(
            owners, TruthWorkers(pool, store.ground_truth), seconds=settings.validation_seconds
        ),
        pages=pages,
        receiver=Receiver(folder, upload_limits(settings), quotas),
        results=ResultFiles(boards, history, limits=waiting_limits(settings)),
        sealing=Sealing(database, seconds=settings.validation_seconds),
        sessions=Sessions(
            database,
            callers,
            accounts.sign_in,
            settings.usable_admin_key,
            settings.admin_session_seconds,
        ),
        status=StatusReader(
            PostgresStatus(database), boards, pages.status, status_limits(settings)
        ),
        streams=EventStreams(
            SubmissionEvents(database),
            limit=settings.event_streams,
            per_address=settings.event_streams_per_address,
            poll_seconds=settings.event_poll_seconds,
        ),
        submissions=submissions,
        test_set=PublishedTestSet(settings.test_set),
        tracks=tracks,
        uploads=UploadService(
            store,
            Validator(pool, store.ground_truth, seconds=settings.validation_seconds),
            quotas,
            tracks,
            private_networks=settings.webhook_private_networks,
            minimum_coverage=settings.minimum_coverage,
        ),
        views=BoardViews(boards, history, limits=waiting_limits(settings)),
        webhooks=Webhooks(database, owners),
    )


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
        parts = _build(infrastructure.database, pool, folder, settings)
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
    infrastructure: Infrastructure, parts: _Parts, settings: GatewaySettings
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
    parts: _Parts, infrastructure: Infrastructure, settings: GatewaySettings
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
