"""Keeps what was rendered, within limits; what is missing is made in fair turns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from services.gateway.web.representations import Representation
from services.gateway.web.turns import Turns

T = TypeVar("T")
_OVERHEAD: Final = 2_000
"""Bytes of a representation beside its two bodies, roughly."""


class RenderCache(Generic[T]):
    """Keeps values up to a `limit` of their sizes; the longest unused is dropped first."""

    def __init__(
        self, turns: Turns, size: Callable[[T], int], limit: int, *, largest: int | None = None
    ) -> None:
        """`largest`: the size of a single value that is kept."""
        self._turns = turns
        self._size = size
        self._limit = limit
        self._largest = limit if largest is None else largest
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._total = 0

    async def get(self, address: str, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return what is kept under a key, or make it when it is the address's turn.

        Keys are those of all caches that share their turns. Raises Busy.
        """

        async def made() -> T:
            value = await make()
            self._keep(key, value)
            return value

        return await self._turns.get(address, key, lambda: self._find(key), made)

    def _find(self, key: Hashable) -> T | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: Hashable, value: T) -> None:
        if self._size(value) > self._largest:
            return
        self._kept[key] = value
        self._total += self._size(value)
        while self._total > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._total -= self._size(dropped)


def bytes_of(made: Representation) -> int:
    """Return the size of a representation in memory."""
    return len(made.identity.body) + len(made.gzip.body) + _OVERHEAD
