"""`medvid admin notice`: a text about an incident on the status page."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from services.gateway.status.service import set_notice
from services.operate.database import run_on_database
from shared.runtime.errors import InvalidInput
from shared.storage.database import Database

_LONGEST: Final = 1000


def notice(
    text: Annotated[str | None, typer.Argument(help="the text; nothing to clear it")] = None,
) -> int:
    """Show a text about an incident on the status page, or clear it."""

    async def work(database: Database) -> str:
        shown = text.strip() if text is not None else None
        if shown is not None and not 0 < len(shown) <= _LONGEST:
            raise InvalidInput(
                f"the notice has {len(shown)} characters.",
                fix=f"Use 1 to {_LONGEST}, or give no text to clear it.",
            )
        await set_notice(database, shown)
        return "The notice is cleared." if shown is None else "The notice is shown on /status."

    return run_on_database(work)
