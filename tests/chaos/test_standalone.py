"""Kills of each kind in the standalone mode; `./scripts/chaos standalone` is the long form."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.standalone import KILLS, an_installation, play
from tests.depth import deep, is_deep
from tests.patience import HANG_SECONDS

ALWAYS = ["postgres", "everything_at_once"]
"""The server dies, and all of it does; './scripts/test all' kills in every way."""


@pytest.mark.timeout(1200)
async def test_the_standalone_mode_survives_every_kill() -> None:
    """How soon it is ready is the long form's to measure: other tests run beside this one."""
    lines: list[str] = []
    kinds = list(KILLS) if is_deep() else ALWAYS
    result = await play(1, kinds, lines.append)
    assert result.broken == [], lines
    assert result.submissions >= len(kinds)
    assert {kind: len(seconds) for kind, seconds in result.ready.items()} == dict.fromkeys(kinds, 1)


@deep
async def test_a_postgres_that_cannot_start_again_ends_the_process_with_the_reason() -> None:
    """A supervisor or a person sees that; 503 for ever is seen by users only."""
    async with an_installation() as installation:
        begun = (installation.folder.parent / "medvid.log").read_text()
        assert f"The leaderboard is at {installation.url}/ (data: {installation.folder})." in begun
        (installation.folder / "postgres" / "global" / "pg_control").unlink()
        installation.kill_postgres()
        process = installation.process
        assert process is not None
        async with asyncio.timeout(HANG_SECONDS):
            assert await process.wait() == 2
        said = (installation.folder.parent / "medvid.log").read_text().splitlines()
        assert said[-1].startswith("medvid: the embedded Postgres does not start in ")
        assert "pg_control" in said[-1]
