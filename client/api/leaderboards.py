"""Calls about boards. All of them are public."""

from __future__ import annotations

from client.api.answers import Leaderboard, LeaderboardIndex
from client.api.calls import get
from client.api.transport import Transport


async def boards(transport: Transport) -> LeaderboardIndex:
    """Return which boards there are, their columns and the ranking rule."""
    return await transport.ask(get("/leaderboards"), LeaderboardIndex)


async def board(
    transport: Transport, name: str = "official", *, scoring: str = "compat"
) -> Leaderboard:
    """Return a board: `official` or `community`, scored `compat` or `strict`."""
    return await transport.ask(get(f"/leaderboards/{name}", scoring=scoring), Leaderboard)
