"""What operators say about an incident, on the status page."""

from __future__ import annotations

from typing import Final

from services.gateway.status.current import set_notice
from services.operate.admin import run_on_database
from shared.runtime.errors import InvalidInput
from shared.storage.database import Database

_LONGEST: Final = 1000


def show_notice(text: str | None) -> int:
    """Show a text, or clear it; returns the exit status."""

    async def work(database: Database) -> str:
        told = text.strip() if text is not None else None
        if told is not None and not 0 < len(told) <= _LONGEST:
            raise InvalidInput(
                f"the notice has {len(told)} characters.",
                fix=f"Use 1 to {_LONGEST}, or give no text to clear it.",
            )
        await set_notice(database, told)
        return "The notice is cleared." if told is None else "The notice is shown on /status."

    return run_on_database(work)
