"""`medvid up`: all services in one process."""

from __future__ import annotations


def up() -> int:
    """Run the whole leaderboard in this process, until Ctrl-C."""
    from services.standalone import main

    return main()
