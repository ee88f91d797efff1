"""How many of a kind may be open at the same time: in all, and for one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.web.addresses import sharing
from services.gateway.web.errors import QuotaExhausted
from shared.runtime.errors import Unavailable

_RETRY_SECONDS = 10.0


class Slots:
    """Counts what is open in this process. `what` names it in refusals, in the plural."""

    def __init__(self, what: str, *, total: int, per_address: int) -> None:
        self._what = what
        self._total = total
        self._per_address = per_address
        self._open = 0
        self._held: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many are open."""
        return self._open

    @contextmanager
    def taken(self, address: str) -> Iterator[None]:
        """Hold a slot; raises Unavailable when none is left, QuotaExhausted for this address."""
        if self.open >= self._total:
            raise Unavailable(f"too many {self._what} are open.", fix="Try again in a minute.")
        shares = sharing(address, self._per_address)
        for name, limit in shares:
            if self._held[name] >= limit:
                raise self._refused(name, address)
        self._open += 1
        self._held.update(name for name, _ in shares)
        try:
            yield
        finally:
            self._open -= 1
            self._held.subtract(name for name, _ in shares)
            self._held = +self._held

    def _refused(self, name: str, address: str) -> QuotaExhausted:
        place = "address" if name == address else f"network {name}"
        return QuotaExhausted(
            f"{self._held[name]} {self._what} are open from your {place}, "
            "which is all that it may have.",
            fix="Wait until one of them ends.",
            code="too_many_at_once",
            retry_after=_RETRY_SECONDS,
        )
