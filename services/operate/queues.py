"""`medvid admin rebuild-queues`: RabbitMQ's queues with the settings of this version."""

from __future__ import annotations

from services.operate.database import run_and_print
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import CommonSettings, load_settings


def rebuild_queues() -> int:
    """Rebuild RabbitMQ's queues whose settings changed, keeping every message.

    Stop the services first. Cut off anywhere, it is finished by running it again.
    """
    from shared.messaging.rabbit.rebuild import rebuild

    async def work() -> str:
        settings = load_settings(CommonSettings)
        if settings.rabbitmq_url is None:
            raise Misconfigured(
                "there is no RabbitMQ here: messages travel through Postgres.",
                fix="Set MEDVID_RABBITMQ_URL where there is one.",
            )
        rebuilt = await rebuild(settings.rabbitmq_url.get_secret_value())
        if not rebuilt:
            return "No queue has other settings than it must have."
        return "\n".join(f"{one.name}: rebuilt with {one.moved:,} messages." for one in rebuilt)

    return run_and_print(work)
