"""What the gateway is made of: every service, with what it needs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

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
from services.gateway.boards.current import Boards
from services.gateway.boards.events import BoardStreams
from services.gateway.boards.evidence import BoardEvidence
from services.gateway.boards.exports import ResultFiles
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
from services.gateway.pages.admin_parts import AdminParts
from services.gateway.pages.admin_sessions import Sessions
from services.gateway.pages.rendering import Pages
from services.gateway.pages.shown_elsewhere import ShownElsewhere
from services.gateway.pages.views import PageViews
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
from services.gateway.submissions.store import SubmissionStore
from services.gateway.submissions.test_set import PublishedTestSet
from services.gateway.submissions.uploads import UploadService
from services.gateway.submissions.validation import Validator
from services.gateway.tracks import api as track_api
from services.gateway.tracks.configuration import read_tracks
from services.gateway.tracks.service import TrackService
from services.gateway.web.endpoints import Endpoint
from services.gateway.webhooks import api as webhook_api
from services.gateway.webhooks.service import Webhooks
from shared.runtime.truth_workers import TruthWorkers
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database

FEATURES: Final = (
    board_api, exports_api, figures_api, evidence_api, changes_api, track_api, submission_api,
    facts_api, own_files_api, objection_api, test_set_api, judging_api, account_api, sign_in_api,
    webhook_api, status_api,
    admin_entries_api, admin_operations_api, admin_succession_api, admin_evidence_api,
    admin_pool_api, admin_notes_api,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """What the gateway is made of."""

    accounts: Accounts
    admin: AdminParts
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
            for feature in FEATURES
            for endpoint in feature.router.endpoints(self.accounts.callers, *services)
        ]


def build(database: Database, pool: WorkerPool, folder: Path, settings: GatewaySettings) -> Parts:
    """Make every part with what it needs; raises Misconfigured."""
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
    return Parts(
        accounts=accounts,
        admin=AdminParts(
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
