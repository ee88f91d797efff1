"""The short form: some of every kind of fault, on one installation under load.

`./scripts/chaos` is the long form of the same scenarios, with a report.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.chaos.campaign import play
from tests.chaos.scenarios import SCENARIOS, Sizes
from tests.chaos.world import a_world
from tests.depth import is_deep
from tests.patience import HANG_SECONDS

# Services are killed at random; a deep run plays every scenario, of Postgres and RabbitMQ too.
SHORT = ("random_kills",)
SIZES = Sizes(kills=4, restarts=1, seconds=2)


@pytest.mark.timeout(1800)
# The client library leaves futures of connections that crash with their server.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_every_promise_is_kept_through_faults_of_every_kind(tmp_path: Path) -> None:
    """How soon work resumes is the long form's to measure: other tests run beside this one."""
    async with a_world(tmp_path, quick=True) as world:
        for name in SCENARIOS if is_deep() else SHORT:
            outcome = await play(
                world, name, SCENARIOS[name], SIZES,
                most=2, patience=HANG_SECONDS, resume_seconds=HANG_SECONDS,
            )  # fmt: skip
            if outcome.skipped:  # as some machines do not allow it; of the short form none
                assert name not in SHORT
                continue
            assert outcome.submissions > 0
            assert outcome.broken == [], outcome


def test_the_long_form_plays_the_same_scenarios() -> None:
    """`./scripts/chaos` is run by hand: that it still starts is seen here."""
    assert import_module("tests.chaos.__main__").SCENARIOS is SCENARIOS
