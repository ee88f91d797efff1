"""`medvid up`: all services in one process."""

from __future__ import annotations

from services.standalone import main


def up() -> int:
    """Run the whole leaderboard in this process, until Ctrl-C."""
    return main()
