"""How queues look in RabbitMQ: one exchange, and for each queue its retries and its dead letters.

`medvid.messages` (direct, routed by message type)
  └─> `<queue>`              quorum; used-up deliveries are dead-lettered, at least once
        └─> `<queue>.dead`   quorum; consumed by the same process, which records them in Postgres
      `<queue>.retry.<ms>`   quorum with a fixed time to live; expired messages return to `<queue>`

A queue for each delay, as a time to live per message would let a long delay hold up short ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed
from pamqp.common import FieldTable

from shared.messaging.topology import Queue
from shared.runtime.errors import Misconfigured

EXCHANGE: Final = "medvid.messages"

# RabbitMQ 4 gives queues a limit of 20 by default; the queues of retries and dead
# letters must never drop a message.
_NO_LIMIT: Final = 1_000_000_000


def dead_queue(queue: Queue) -> str:
    """Return the name of the queue that holds what used up its deliveries."""
    return f"{queue.name}.dead"


def retry_queue(queue: Queue, delay: float) -> str:
    """Return the name of the retry queue for a delay in seconds.

    The delay is rounded up to the next one of `Queue.retry_delays`, or down to the longest.
    """
    longer = [known for known in queue.retry_delays if known >= delay]
    return _retry_name(queue, min(longer) if longer else max(queue.retry_delays))


def all_queues(queue: Queue) -> list[str]:
    """Return the names of all broker queues that hold messages of a queue."""
    return [blueprint.name for blueprint in blueprints(queue)]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A queue as the broker must hold it; `types` are the message types that are bound to it."""

    name: str
    arguments: FieldTable
    types: tuple[str, ...] = ()


def retry_queues(queue: Queue) -> list[str]:
    """Return the names of the queues in which messages wait for their next attempt."""
    return [_retry_name(queue, delay) for delay in sorted(set(queue.retry_delays))]


def blueprints(queue: Queue) -> list[Blueprint]:
    """Return all broker queues of a queue, the ones that others refer to first."""
    return [
        Blueprint(dead_queue(queue), _quorum({"x-delivery-limit": _NO_LIMIT})),
        *(
            Blueprint(_retry_name(queue, delay), _quorum(_retry_arguments(queue, delay)))
            for delay in sorted(set(queue.retry_delays))
        ),
        Blueprint(queue.name, _quorum(_work_arguments(queue)), queue.types),
    ]


async def declare_topology(channel: AbstractChannel, queues: Sequence[Queue]) -> None:
    """Make what is missing of exchange, queues and bindings.

    Raises Misconfigured when a queue exists with other arguments; the channel is closed then.
    """
    try:
        exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.DIRECT, durable=True)
        for blueprint in (made for queue in queues for made in blueprints(queue)):
            declared = await channel.declare_queue(
                blueprint.name, durable=True, arguments=blueprint.arguments
            )
            for message_type in blueprint.types:
                await declared.bind(exchange, message_type)
    except ChannelPreconditionFailed as error:
        raise Misconfigured(
            f"RabbitMQ holds a queue or exchange that was made with other settings: {error}.",
            fix="Stop the services and run 'medvid admin rebuild-queues': it makes the queue anew "
            "and keeps every message.",
        ) from error


def _quorum(arguments: FieldTable) -> FieldTable:
    return {"x-queue-type": "quorum"} | arguments


def _work_arguments(queue: Queue) -> FieldTable:
    # The broker counts redeliveries: a limit of n allows n + 1 deliveries.
    return _dead_lettered_to(dead_queue(queue)) | {"x-delivery-limit": queue.delivery_limit - 1}


def _retry_arguments(queue: Queue, delay: float) -> FieldTable:
    return _dead_lettered_to(queue.name) | {
        "x-delivery-limit": _NO_LIMIT,
        "x-message-ttl": _milliseconds(delay),
    }


def _dead_lettered_to(queue_name: str) -> FieldTable:
    # All of these, or the broker silently falls back to dead-lettering at most once. The default
    # exchange routes to the queue by its name and cannot be misbound.
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue_name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _retry_name(queue: Queue, delay: float) -> str:
    return f"{queue.name}.retry.{_milliseconds(delay)}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
