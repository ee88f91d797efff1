"""What the services need of a bus. Both adapters keep the same promises (tests/contract).

- `publish` returns once every message is safe in every queue bound to its type; when it raises,
  the caller must assume "unknown" and publish again (consumers drop what they have seen).
- It raises Undeliverable for messages that no queue takes (their type is unknown here, or they are
  larger than consumers read), after all others of the batch are safe.
- A delivery stays owned by its consumer until the handler returned a disposition. When a
  consumer dies its messages are delivered again; after `Queue.delivery_limit` deliveries they come
  `exhausted`. A retry starts the next attempt with all its deliveries.
- Order is not promised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from shared.contracts.messages import MAX_BODY_BYTES
from shared.messaging.topology import HINTS, Queue
from shared.runtime.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way to the bus: `body` is the envelope's JSON."""

    message_id: UUID
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a bus does not take a message: a stable code, and words."""

    code: str
    detail: str


class Undeliverable(Unavailable):
    """A bus refuses some messages, by id; all others of the batch are safe."""

    def __init__(self, refused: Mapping[UUID, Refusal]) -> None:
        super().__init__("; ".join(sorted({refusal.detail for refusal in refused.values()})))
        self.refused = refused


def refusals(messages: Sequence[Outgoing], bound: AbstractSet[str]) -> dict[UUID, Refusal]:
    """Return what a bus with queues for the types `bound` must refuse; for adapters."""
    found = {}
    for message in messages:
        if message.type not in bound and message.type not in HINTS:
            found[message.message_id] = Refusal(
                "unroutable", f"no queue is bound to {message.type}"
            )
        elif len(message.body) > MAX_BODY_BYTES:
            detail = f"{message.type} has {len(message.body)} bytes of at most {MAX_BODY_BYTES}"
            found[message.message_id] = Refusal("too_large", detail)
    return found


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message given to a consumer.

    `attempt` counts from 1 and rises with every delayed retry. `exhausted` says that its deliveries
    are used up (its consumers crashed): retry it later or record it as dead, do not work on it.
    """

    queue: Queue
    body: bytes
    attempt: int
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The work is committed, was done before, or the message is recorded as dead: forget it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Deliver it again after `delay` seconds with the next attempt number."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Nothing was done (shutdown): deliver it again at once, to anyone."""


Disposition = Done | Retry | GiveBack
DeliveryHandler = Callable[[Delivery], Awaitable[Disposition]]
HintHandler = Callable[[bytes], None]


class Listening(Protocol):
    """A running listener for hints."""

    async def stop(self) -> None:
        """Stop listening; idempotent."""


class Subscription(Protocol):
    """A running consumer."""

    async def resize(self, concurrency: int) -> None:
        """Take at most `concurrency` messages at a time from now on; those at work are finished.

        What this process does not hold others may take.
        """

    async def stop(self) -> None:
        """Take no more deliveries, wait for the handlers at work, settle them; idempotent."""


class Bus(Protocol):
    """A message bus."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Store messages durably in their queues.

        Raises Undeliverable when all are safe but those it names, Unavailable when that is not
        known.
        """

    async def consume(
        self, queue: Queue, handler: DeliveryHandler, *, concurrency: int
    ) -> Subscription:
        """Start delivering, at most `concurrency` messages at a time."""

    async def listen(self, types: Sequence[str], handler: HintHandler) -> Listening:
        """Call `handler` with the body of each message of these types; may miss some."""

    async def depth(self, queue: Queue) -> int:
        """Return how many messages wait in the queue or are being worked on."""

    async def check(self) -> None:
        """Return when the bus can publish and consume; raises Unavailable otherwise."""

    async def close(self) -> None:
        """Stop every subscription and disconnect; idempotent."""
