"""Queues whose settings changed: found, and rebuilt without losing a message.

RabbitMQ never changes the settings of a queue. So its messages are moved aside, the queue is
removed and made again, and they are moved back:

1. `<name>.moving` is made and bound to the same messages, then the old queue is unbound;
2. its messages are moved there, and those that wait for a retry, which would come back into it;
   the empty queue is removed;
3. the new queue is made and bound, and everything is moved back; `<name>.moving` is removed.

A message leaves a queue only when the next one holds it safely, so wherever this is cut off it is
somewhere, and running it again finishes the work. Some arrive twice, which consumers drop as seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from shared.messaging.rabbit.link import Link, NoRight, broker_errors, close_channel, parse_url
from shared.messaging.rabbit.topology import EXCHANGE, Blueprint, blueprints, retry_queues
from shared.messaging.topology import QUEUES, Queue
from shared.runtime.errors import Conflict

_REBUILDING: Final = "medvid.rebuilding"
"""An exchange that is there while a rebuild is not finished; nothing is sent to it."""
_NO_LIMIT: Final = 1_000_000_000
_BATCH: Final = 200
_STEP_SECONDS: Final = 30.0
_SETTLING_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueDifference:
    """A queue that is not as it must be. `unfinished`: a rebuild was cut off."""

    name: str
    kind: Literal["missing", "different", "unfinished"]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A queue that was rebuilt, and how many messages were moved back into it."""

    name: str
    moved: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is not as it must be; and the services whose queues this user may not compare."""

    found: Sequence[QueueDifference]
    left_to: Sequence[str] = ()


async def differences(url: str, queues: Sequence[Queue] = QUEUES) -> Comparison:
    """Compare the broker's queues with `topology`, changing nothing.

    Raises Unavailable, Misconfigured.
    """
    link = Link(parse_url(url), "medvid compares queues")
    try:
        # The broker logs an error for each thing that is asked for and is not there.
        if not await _is_there(link, EXCHANGE):
            return Comparison([QueueDifference(plan.name, "missing") for plan in _all(queues)])
        rebuilding = await _is_there(link, _REBUILDING)
        found: list[QueueDifference] = []
        left_to = []
        for owner in sorted({queue.owner for queue in queues}):
            plans = _all([queue for queue in queues if queue.owner == owner])
            try:
                found += await _differences(link, plans, rebuilding=rebuilding)
            except NoRight:  # who may only look sees whether they are there
                found += await _differences(link, plans, rebuilding=rebuilding, compares=False)
                left_to.append(owner)
        return Comparison(found, left_to)
    finally:
        await link.close()


async def rebuild(url: str, queues: Sequence[Queue] = QUEUES) -> list[Rebuilt]:
    """Rebuild every queue that has other settings; no service may run.

    Raises Conflict where one does, Unavailable where the broker fails: then run it again.
    """
    link = Link(parse_url(url), "medvid rebuilds queues")
    try:
        plans = {blueprint.name: blueprint for blueprint in _all(queues)}
        found = await _differences(link, list(plans.values()), rebuilding=True)
        wrong = sorted({entry.name for entry in found if entry.kind != "missing"})
        for name in wrong:
            await _refuse_consumers(link, name)
        feeders = {queue.name: retry_queues(queue) for queue in queues}
        async with _marked(link):
            return [await _rebuild(link, plans[name], feeders.get(name, [])) for name in wrong]
    finally:
        await link.close()


def _all(queues: Sequence[Queue]) -> list[Blueprint]:
    return [blueprint for queue in queues for blueprint in blueprints(queue)]


def _aside(name: str) -> str:
    return f"{name}.moving"


async def _differences(
    link: Link, plans: Sequence[Blueprint], *, rebuilding: bool, compares: bool = True
) -> list[QueueDifference]:
    found = []
    for plan in plans:
        if await _count(link, plan.name) is None:
            found.append(QueueDifference(plan.name, "missing"))
        elif compares and not await _is_as(link, plan):
            found.append(QueueDifference(plan.name, "different"))
        if rebuilding and await _count(link, _aside(plan.name)) is not None:
            found.append(QueueDifference(plan.name, "unfinished"))
    return found


async def _is_there(link: Link, exchange: str) -> bool:
    channel = await link.open_channel(confirms=False)
    try:
        async with broker_errors(f"asking for {exchange}"), asyncio.timeout(_STEP_SECONDS):
            try:
                await channel.declare_exchange(exchange, passive=True)
            except ChannelNotFoundEntity:
                return False
        return True
    finally:
        await close_channel(channel)


@asynccontextmanager
async def _marked(link: Link) -> AsyncIterator[None]:
    """Leave a mark in the broker until the work is finished."""
    async with _channel(link, "beginning a rebuild") as channel:
        await channel.declare_exchange(_REBUILDING, ExchangeType.FANOUT, durable=True)
    yield
    async with _channel(link, "finishing a rebuild") as channel:
        await channel.exchange_delete(_REBUILDING)


async def _count(link: Link, name: str) -> tuple[int, int] | None:
    """Return a queue's waiting messages and its consumers, None where there is no such queue."""
    channel = await link.open_channel(confirms=False)
    try:
        async with broker_errors(f"asking for {name}"), asyncio.timeout(_STEP_SECONDS):
            try:
                queue = await channel.declare_queue(name, passive=True)
            except ChannelNotFoundEntity:
                return None
        result = queue.declaration_result
        return result.message_count or 0, result.consumer_count or 0
    finally:
        await close_channel(channel)


async def _is_as(link: Link, plan: Blueprint) -> bool:
    """Tell whether a queue that exists has these settings: declaring it then changes nothing."""
    channel = await link.open_channel(confirms=False)
    try:
        async with broker_errors(f"comparing {plan.name}"), asyncio.timeout(_STEP_SECONDS):
            try:
                await channel.declare_queue(plan.name, durable=True, arguments=plan.arguments)
            except ChannelPreconditionFailed:
                return False
        return True
    finally:
        await close_channel(channel)


async def _refuse_consumers(link: Link, name: str) -> None:
    """Raise Conflict where the queue has consumers; ones that just left are waited for."""
    deadline = asyncio.get_running_loop().time() + _SETTLING_SECONDS
    while (found := await _count(link, name)) is not None and found[1]:
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict(
                f"{found[1]} consumers work on {name}.", fix="Stop all services, then run it again."
            )
        await asyncio.sleep(0.2)


async def _rebuild(link: Link, plan: Blueprint, feeders: Sequence[str]) -> Rebuilt:
    """Rebuild one queue; messages of `feeders` come into it when their time is up."""
    async with _channel(link, f"emptying {plan.name}") as channel:
        exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.DIRECT, durable=True)
        aside = await _declare_aside(channel, plan)
        for message_type in plan.types:
            await aside.bind(exchange, message_type)
        if await _count(link, plan.name) is not None and not await _is_as(link, plan):
            there = [name for name in feeders if await _count(link, name) is not None]
            await _empty_and_remove(channel, plan, there, aside)
    # Another channel: RabbitMQ 3.10 falls over when one that knew the old queue uses the new one.
    async with _channel(link, f"filling {plan.name}") as channel:
        aside = await _declare_aside(channel, plan)
        fresh = await channel.declare_queue(plan.name, durable=True, arguments=plan.arguments)
        for message_type in plan.types:
            await fresh.bind(EXCHANGE, message_type)
            await aside.unbind(EXCHANGE, message_type)
        moved = await _move(channel, aside, plan.name)
        await _remove(aside)
    _log.info("queue_rebuilt", queue=plan.name, moved=moved)
    return Rebuilt(plan.name, moved)


@asynccontextmanager
async def _channel(link: Link, doing: str) -> AsyncIterator[AbstractChannel]:
    channel = await link.open_channel(confirms=True)
    try:
        async with broker_errors(doing):
            yield channel
    finally:
        await close_channel(channel)


async def _declare_aside(channel: AbstractChannel, plan: Blueprint) -> AbstractQueue:
    return await channel.declare_queue(
        _aside(plan.name),
        durable=True,
        arguments={"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT},
    )


async def _empty_and_remove(
    channel: AbstractChannel, plan: Blueprint, feeders: Sequence[str], aside: AbstractQueue
) -> None:
    for feeder in feeders:
        await _move(channel, await channel.get_queue(feeder, ensure=False), aside.name)
    old = await channel.get_queue(plan.name, ensure=False)
    for message_type in plan.types:
        await old.unbind(EXCHANGE, message_type)
    await _move(channel, old, aside.name)
    await _remove(old)


async def _remove(queue: AbstractQueue) -> None:
    """Remove a queue that was emptied. Quorum queues know no 'only if it is empty'."""
    await queue.delete(if_unused=False, if_empty=False, timeout=_STEP_SECONDS)


async def _move(channel: AbstractChannel, source: AbstractQueue, target: str) -> int:
    """Move every message; each is acknowledged only when the target has confirmed it.

    It is empty when it is so twice, with a pause: what was routed before we unbound it is in then.
    """
    moved = 0
    while True:
        found = await _move_what_is_there(channel, source, target)
        moved += found
        if not found:
            await asyncio.sleep(_PAUSE_SECONDS)
            last = await _move_what_is_there(channel, source, target)
            if not last:
                return moved
            moved += last


async def _move_what_is_there(channel: AbstractChannel, source: AbstractQueue, target: str) -> int:
    moved = 0
    while batch := await _take(source):
        async with asyncio.timeout(_STEP_SECONDS):
            await asyncio.gather(
                *(channel.default_exchange.publish(_copy(message), target) for message in batch)
            )
            await asyncio.gather(*(message.ack() for message in batch))
        moved += len(batch)
    return moved


async def _take(source: AbstractQueue) -> list[AbstractIncomingMessage]:
    batch: list[AbstractIncomingMessage] = []
    while len(batch) < _BATCH:
        message = await source.get(fail=False, timeout=_STEP_SECONDS)
        if message is None:
            break
        batch.append(message)
    return batch


def _copy(message: AbstractIncomingMessage) -> Message:
    """Return the same message with medvid's headers and none of the broker's."""
    headers = {key: value for key, value in message.headers.items() if key.startswith("medvid-")}
    return Message(
        message.body,
        headers=headers,
        content_type=message.content_type,
        delivery_mode=DeliveryMode.PERSISTENT,
    )
