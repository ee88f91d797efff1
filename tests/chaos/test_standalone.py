"""Kills of each kind in the standalone mode; `./scripts/chaos standalone` is the long form."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.standalone import KILLS, an_installation, play


@pytest.mark.timeout(300)
async def test_the_standalone_mode_survives_every_kill() -> None:
    """How soon it is ready is the long form's to measure: other tests run beside this one."""
    lines: list[str] = []
    result = await play(1, list(KILLS), lines.append)
    assert result.broken == [], lines
    assert result.submissions >= len(KILLS)
    assert {kind: len(seconds) for kind, seconds in result.ready.items()} == dict.fromkeys(KILLS, 1)


@pytest.mark.timeout(120)
async def test_a_postgres_that_cannot_start_again_ends_the_process_with_the_reason() -> None:
    """A supervisor or a person sees that; 503 for ever is seen by users only."""
    async with an_installation() as installation:
        (installation.folder / "postgres" / "global" / "pg_control").unlink()
        installation.kill_postgres()
        process = installation.process
        assert process is not None
        async with asyncio.timeout(60):
            assert await process.wait() == 2
        said = (installation.folder.parent / "medvid.log").read_text().splitlines()
        assert said[-1].startswith("medvid: the embedded Postgres does not start in ")
        assert "pg_control" in said[-1]
