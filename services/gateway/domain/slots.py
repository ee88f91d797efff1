"""How many of a kind may be open at the same time: in all, and for one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.domain.quotas import QuotaExhausted
from shared.runtime.errors import Unavailable

_RETRY_SECONDS = 10.0


class Busy(Unavailable):
    """Too many wait already for what takes moments only."""

    retry_after = 2


class Slots:
    """Counts what is open in this process. `what` names it in refusals, in the plural."""

    def __init__(self, what: str, *, total: int, per_address: int) -> None:
        self._what = what
        self._total = total
        self._per_address = per_address
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many are open."""
        return self._open.total()

    @contextmanager
    def taken(self, address: str) -> Iterator[None]:
        """Hold a slot; raises Unavailable when none is left, QuotaExhausted for this address."""
        if self.open >= self._total:
            raise Unavailable(f"too many {self._what} are open.", fix="Try again in a minute.")
        if self._open[address] >= self._per_address:
            raise QuotaExhausted(
                f"{self._open[address]} {self._what} are open from your address, "
                "which is all that it may have.",
                fix="Wait until one of them ends.",
                code="too_many_at_once",
                retry_after=_RETRY_SECONDS,
            )
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
