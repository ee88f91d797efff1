"""Builds administration: its endpoints and its pages."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from services.gateway.accounts.audit import AuditLog
from services.gateway.accounts.callers import Callers
from services.gateway.accounts.keys import ManageKeys
from services.gateway.admin.board_settings import BoardSettings
from services.gateway.admin.dead_letters import DeadLetters
from services.gateway.admin.entries import EntryActions
from services.gateway.admin.ground_truths import GroundTruths
from services.gateway.admin.imports import BoardFiles
from services.gateway.admin.judging_hold import HoldJudging
from services.gateway.admin.operations_routes import (
    board_setting_endpoints,
    dead_letter_endpoints,
    ground_truth_endpoints,
    judging_endpoints,
)
from services.gateway.admin.rescore_routes import rescore_endpoints
from services.gateway.admin.rescoring import Rescoring
from services.gateway.admin.routes import audit_endpoints, entry_endpoints, file_endpoints
from services.gateway.pages import admin_sections as sections
from services.gateway.pages.admin_pages import AdminPages
from services.gateway.pages.admin_rescore_sections import rescore_sections
from services.gateway.pages.admin_sections import Parts
from services.gateway.pages.admin_sessions import Sessions
from services.gateway.pages.rendering import Pages
from services.gateway.settings import GatewaySettings
from services.gateway.submissions.lifecycle_store import PostgresLifecycle
from services.gateway.web.endpoints import Endpoint
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database


@dataclass(frozen=True, slots=True)
class Administration:
    """What administrators do, over the API and on their pages."""

    parts: Parts
    callers: Callers
    sessions: Sessions

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of the API."""
        parts, callers = self.parts, self.callers
        return [
            *entry_endpoints(parts.entries, parts.files, callers),
            *file_endpoints(parts.files, callers),
            *board_setting_endpoints(parts.boards, callers),
            *dead_letter_endpoints(parts.letters, callers),
            *ground_truth_endpoints(parts.truths, callers),
            *rescore_endpoints(parts.rescoring, callers),
            *judging_endpoints(parts.hold, callers),
            *audit_endpoints(parts.log, callers),
        ]

    def pages(self, pages: Pages) -> list[web.RouteDef]:
        """Return the routes of the pages."""
        shown = [
            *sections.operation_sections(self.parts),
            *sections.entry_sections(self.parts),
            *sections.file_sections(self.parts),
            *rescore_sections(self.parts),
            *sections.key_sections(self.parts),
            *sections.audit_sections(self.parts),
        ]
        return AdminPages(pages, self.sessions, shown, sections.downloads(self.parts)).routes()


def build_administration(
    database: Database,
    pool: WorkerPool,
    callers: Callers,
    keys: ManageKeys,
    settings: GatewaySettings,
) -> Administration:
    """Join the parts."""
    parts = Parts(
        entries=EntryActions(database),
        files=BoardFiles(database),
        boards=BoardSettings(database),
        letters=DeadLetters(database),
        truths=GroundTruths(database, pool, settings.ground_truth_dir),
        rescoring=Rescoring(database),
        hold=HoldJudging(database),
        log=AuditLog(database),
        submissions=PostgresLifecycle(database),
        keys=keys,
    )
    sessions = Sessions(
        database, callers, settings.usable_admin_key, settings.admin_session_seconds
    )
    return Administration(parts, callers, sessions)
