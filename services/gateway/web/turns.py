"""Views are made one at a time, in fair turns, and few wait for one.

Who asks for many views waits longer for them; others do not. A view that is kept is returned at
once, and a view that was made while waiting is not made again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from services.gateway.web.errors import Busy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How many views may wait to be made: in all, of one address, and for how long."""

    total: int = 64
    per_address: int = 16
    seconds: float = 10


USUAL: Final = WaitingLimits()


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    key: Hashable
    turn: asyncio.Future[bool]
    """True: it is its turn. False: the view is there."""


class Turns:
    """Makes one thing at a time. Addresses take turns, each with what it asked for first."""

    def __init__(self, limits: WaitingLimits = USUAL) -> None:
        self._limits = limits
        self._making = False
        self._waiting: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._asked: dict[tuple[str, Hashable], asyncio.Task[Any]] = {}

    async def get(
        self,
        address: str,
        key: Hashable,
        find: Callable[[], T | None],
        make: Callable[[], Awaitable[T]],
    ) -> T:
        """Return what `find` has, or else what `make` makes when it is this address's turn.

        Who asks for the same from the same address gets the same answer. Raises Busy.
        """
        found = find()
        if found is not None:
            return found
        asked = (address, key)
        task = self._asked.get(asked)
        if task is None:
            # Of its own, as others may wait for it when this request is given up.
            task = asyncio.create_task(self._have(address, key, find, make))
            self._asked[asked] = task
            task.add_done_callback(lambda _: self._asked.pop(asked))
        made: T = await asyncio.shield(task)
        return made

    async def _have(
        self,
        address: str,
        key: Hashable,
        find: Callable[[], T | None],
        make: Callable[[], Awaitable[T]],
    ) -> T:
        while (found := find()) is None:
            if self._making and not await self._turn(address, key):
                continue
            self._making = True
            try:
                found = find()
                return await make() if found is None else found
            finally:
                self._pass_on(key if find() is not None else None)
        return found

    async def _turn(self, address: str, key: Hashable) -> bool:
        self._make_room(address)
        waiting = _Waiting(key, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(address, deque()).append(waiting)
        try:
            async with asyncio.timeout(self._limits.seconds):
                try:
                    return await waiting.turn
                except asyncio.CancelledError:
                    self._give_up(address, waiting)
                    raise
        except TimeoutError:
            raise _busy() from None

    def _give_up(self, address: str, waiting: _Waiting) -> None:
        """Leave; a turn that came at this very moment is the next one's."""
        self._leave(address, waiting)
        turn = waiting.turn
        if not turn.cancelled() and turn.exception() is None and turn.result():
            self._pass_on(None)

    def _make_room(self, address: str) -> None:
        """Raise Busy where no more may wait, unless another address has more than its share."""
        counts = {each: len(waiting) for each, waiting in self._waiting.items()}
        own = counts.get(address, 0)
        if own >= self._limits.per_address:
            raise _busy()
        if sum(counts.values()) < self._limits.total:
            return
        greediest = max(counts, key=lambda each: counts[each])
        if counts[greediest] <= own + 1:
            raise _busy()
        last = self._waiting[greediest][-1]
        self._leave(greediest, last)
        if not last.turn.done():
            last.turn.set_exception(_busy())

    def _pass_on(self, made: Hashable | None) -> None:
        """Tell those who wait for what was made that it is there; let the next address begin."""
        for address, each in [(a, each) for a, all_ in self._waiting.items() for each in all_]:
            if each.turn.done() or (made is not None and each.key == made):
                self._leave(address, each)  # done: it was given up a moment ago
                if not each.turn.done():
                    each.turn.set_result(False)
        self._making = bool(self._waiting)
        if self._waiting:
            address, waiting = next(iter(self._waiting.items()))
            following = waiting[0]
            self._leave(address, following)
            if address in self._waiting:
                self._waiting.move_to_end(address)
            following.turn.set_result(True)

    def _leave(self, address: str, waiting: _Waiting) -> None:
        """Wait no more; who left before may leave again."""
        others = self._waiting.get(address)
        if others is not None and waiting in others:
            others.remove(waiting)
            if not others:
                del self._waiting[address]


def _busy() -> Busy:
    return Busy(
        "too many views of boards wait to be made.",
        fix="Try again in a moment, or read the board without search, order or filter.",
    )
