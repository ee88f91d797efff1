"""What the settings say of limits, as each part of the gateway takes it."""

from __future__ import annotations

from services.gateway.accounts.quota_rules import QuotaLimits, QuotaRules
from services.gateway.settings import GatewaySettings
from services.gateway.status.rules import StatusLimits
from services.gateway.submissions.receiver import UploadLimits
from services.gateway.web.turns import WaitingLimits


def quota_rules(settings: GatewaySettings) -> QuotaRules:
    """Return what keys and addresses may use."""
    return QuotaRules(
        keys=QuotaLimits(
            settings.key_submissions_per_day,
            settings.key_bytes_per_day,
            settings.key_judge_runs_per_month,
            settings.key_validations_per_day,
            settings.evaluate_only_per_day,
            settings.evaluate_only_total,
        ),
        addresses=QuotaLimits(
            settings.address_submissions_per_day,
            settings.address_bytes_per_day,
            settings.address_judge_runs_per_month,
            settings.address_validations_per_day,
            settings.evaluate_only_per_day,
            settings.evaluate_only_total,
        ),
    )


def status_limits(settings: GatewaySettings) -> StatusLimits:
    """Return when the status page calls something stale, slow or standing."""
    return StatusLimits(
        stale=6 * settings.sample_seconds + 10,
        slow=settings.status_slow_seconds,
        standing=settings.status_standing_seconds,
    )


def waiting_limits(settings: GatewaySettings) -> WaitingLimits:
    """Return how many views may wait, and how long."""
    return WaitingLimits(
        settings.views_waiting, settings.views_waiting_per_address, settings.views_waiting_seconds
    )


def upload_limits(settings: GatewaySettings) -> UploadLimits:
    """Return how large, slow and many uploads may be."""
    return UploadLimits(
        body_bytes=settings.upload_bytes,
        seconds=settings.upload_seconds,
        idle_seconds=settings.upload_idle_seconds,
        concurrent=settings.upload_concurrency,
        per_address=settings.upload_concurrency_per_address,
    )
