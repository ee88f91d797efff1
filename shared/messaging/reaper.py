"""Announces work again whose message was lost: a queue was deleted, a broker was wiped.

Every unfinished state has a query here. Any number of reapers may run: a query marks the rows that
it returns as announced, so that one of them announces a row, with a new message id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.contracts.messages import Message
from shared.messaging.bus import Bus
from shared.messaging.topology import Queue
from shared.storage.database import Database, Transaction

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long work may wait unannounced, in seconds.

    `busy` holds while its queue has messages, since its own most likely waits among them.
    """

    idle: float
    busy: float


@dataclass(frozen=True, slots=True)
class Overdue(Generic[M]):
    """Rows of one unfinished state, and the message that announces one of them.

    `query` takes the age in seconds from which on a row is overdue, and returns the message's
    fields. Where announcing too often costs nothing there is no `queue`, and no age. `prepare` runs
    before it in the same transaction; `log` gets every message that was sent.
    """

    query: str
    message: type[M]
    log: Callable[[M], object]
    queue: Queue | None = None
    prepare: Callable[[Transaction], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Reaper:
    """Looks after the unfinished states of a service."""

    database: Database
    bus: Bus
    patience: Patience
    states: Sequence[Overdue[Any]]

    async def announce_again(self) -> None:
        """Announce whatever is overdue; a state whose rows are locked holds up no other."""
        states = (self._announce(state) for state in self.states)
        for failure in await asyncio.gather(*states, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _announce(self, state: Overdue[Message]) -> None:
        age = [] if state.queue is None else [await self._age(state.queue)]
        async with self.database.transaction() as transaction:
            if state.prepare is not None:
                await state.prepare(transaction)
            rows = await transaction.connection.fetch(state.query, *age)
            messages = [state.message.model_validate(dict(row)) for row in rows]
            for message in messages:
                await transaction.emit(message)
        for message in messages:
            state.log(message)

    async def _age(self, queue: Queue) -> float:
        return self.patience.busy if await self.bus.depth(queue) else self.patience.idle
