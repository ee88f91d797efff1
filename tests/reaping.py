"""One look of a service's reaper, with the patience that a test sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.messaging.bus import Bus
from shared.messaging.local import LocalBus
from shared.messaging.reaper import Overdue, Patience, Reaper
from shared.storage.database import Database


async def reap(
    database: Database,
    states: Sequence[Overdue[Any]],
    seconds: float = 30,
    *,
    bus: Bus | None = None,
) -> None:
    """Announce what is overdue; while its queue has messages it gets ten minutes."""
    patience = Patience(seconds, max(seconds, 600))
    await Reaper(database, bus or LocalBus(database), patience, states).announce_again()
