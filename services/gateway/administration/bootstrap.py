"""Builds administration."""

from __future__ import annotations

from services.gateway.access_bootstrap import AccessParts
from services.gateway.administration.audit import AuditLog
from services.gateway.administration.dead_letters import DeadLetters
from services.gateway.administration.entries import EntryActions
from services.gateway.administration.ground_truths import GroundTruths
from services.gateway.administration.imports import BoardFiles
from services.gateway.administration.judging import HoldJudging
from services.gateway.administration.operations_routes import (
    dead_letter_endpoints,
    ground_truth_endpoints,
    judging_endpoints,
)
from services.gateway.administration.rescore_routes import rescore_endpoints
from services.gateway.administration.rescoring import Rescoring
from services.gateway.administration.routes import audit_endpoints, entry_endpoints, file_endpoints
from services.gateway.endpoints import Endpoint
from services.gateway.settings import GatewaySettings
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database


def administration_endpoints(
    database: Database, pool: WorkerPool, access: AccessParts, settings: GatewaySettings
) -> list[Endpoint]:
    """Join the parts."""
    callers = access.callers
    truths = GroundTruths(database, pool, settings.ground_truth_dir)
    return [
        *entry_endpoints(EntryActions(database), BoardFiles(database), callers),
        *file_endpoints(BoardFiles(database), callers),
        *dead_letter_endpoints(DeadLetters(database), callers),
        *ground_truth_endpoints(truths, callers),
        *rescore_endpoints(Rescoring(database), callers),
        *judging_endpoints(HoldJudging(database), callers),
        *audit_endpoints(AuditLog(database), callers),
    ]
