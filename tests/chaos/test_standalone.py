"""Kills of each kind in the standalone mode; `./scripts/chaos standalone` is the long form."""

from __future__ import annotations

import pytest

from tests.chaos.standalone import KILLS, play


@pytest.mark.timeout(300)
async def test_the_standalone_mode_survives_every_kill() -> None:
    """How soon it is ready is the long form's to measure: other tests run beside this one."""
    lines: list[str] = []
    result = await play(1, list(KILLS), lines.append)
    assert result.broken == [], lines
    assert result.submissions >= len(KILLS)
    assert {kind: len(seconds) for kind, seconds in result.ready.items()} == dict.fromkeys(KILLS, 1)
