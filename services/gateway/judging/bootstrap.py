"""Builds the gateway's part in judging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.gateway.accounts.quotas import Quotas
from services.gateway.judging.handlers import ReadJudging, RequestJudging, SteerRun
from services.gateway.judging.store import PostgresJudging
from services.gateway.settings import GatewaySettings
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.submissions.events import EventStreams
from services.gateway.submissions.ports import SubmissionStore
from shared.contracts.messages import BoardRanked, JudgingProgressed, ScoringFailed
from shared.storage.database import Database


@dataclass(frozen=True, slots=True)
class JudgingParts:
    """The use cases about judging, and the open event streams."""

    hints: ClassVar = (BoardRanked.type, ScoringFailed.type, JudgingProgressed.type)

    ask: RequestJudging
    steer: SteerRun
    read: ReadJudging
    streams: EventStreams


def build_judging(
    database: Database,
    submissions: SubmissionStore,
    quotas: Quotas,
    settings: GatewaySettings,
) -> JudgingParts:
    """Join the parts."""
    store = PostgresJudging(database)
    access = SubmissionAccess(submissions, quotas.access)
    return JudgingParts(
        ask=RequestJudging(access, store, quotas, settings.judge_estimate_seconds),
        steer=SteerRun(access, store),
        read=ReadJudging(access, store),
        streams=EventStreams(
            store,
            limit=settings.event_streams,
            per_address=settings.event_streams_per_address,
            poll_seconds=settings.event_poll_seconds,
        ),
    )
