"""RabbitMQ's queues, on the command line."""

from __future__ import annotations

from services.operate.admin import run_told
from shared.messaging.rabbit.rebuild import rebuild
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import CommonSettings, load_settings


def rebuild_queues() -> int:
    """Make queues anew that have other settings; returns the exit status."""

    async def work() -> str:
        settings = load_settings(CommonSettings)
        if settings.rabbitmq_url is None:
            raise Misconfigured(
                "there is no RabbitMQ here: messages travel through Postgres.",
                fix="Set MEDVID_RABBITMQ_URL where there is one.",
            )
        rebuilt = await rebuild(settings.rabbitmq_url.get_secret_value())
        if not rebuilt:
            return "No queue has other settings than ours."
        return "\n".join(f"{one.name}: made anew with {one.moved:,} messages." for one in rebuilt)

    return run_told(work)
