"""A background task that fails goes on, and is named until it works again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from shared.runtime import supervision
from shared.runtime.supervision import Backoff, Supervision, failing_tasks
from tests.patience import HANG_SECONDS

QUICK = Backoff(first=0.001, cap=0.01)


@pytest.fixture
async def tasks() -> AsyncIterator[Supervision]:
    made = Supervision(QUICK)
    yield made
    await made.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not true():
            await asyncio.sleep(0.001)


class Work:
    """Fails so many times, then works; `seen` is what was told at each call."""

    def __init__(self, failures: int, error: BaseException) -> None:
        self.calls = 0
        self.failures = failures
        self.error = error
        self.seen: list[dict[str, str]] = []

    async def __call__(self) -> None:
        self.calls += 1
        self.seen.append(failing_tasks())
        if self.calls <= self.failures:
            raise self.error


@pytest.mark.parametrize(
    "error", [AttributeError("'str' has no attribute 'data'"), asyncio.CancelledError()]
)
async def test_work_that_fails_is_done_again_and_named_until_it_works(
    tasks: Supervision, error: BaseException
) -> None:
    work, kind = Work(3, error), type(error).__name__
    tasks.run(kind, work)
    await until(lambda: work.calls == 4 and not failing_tasks())
    assert work.seen == [{}, *({kind: f"{kind}, {n} in a row"} for n in (1, 2, 3))]
    assert REGISTRY.get_sample_value("medvid_task_failures_total", {"task": kind}) == 3


async def test_a_periodic_task_goes_on_after_a_failure(tasks: Supervision) -> None:
    work = Work(1, ValueError("once"))
    tasks.repeat("sweep", work, 0.001)
    await until(lambda: work.calls > 3)
    assert work.seen[1] == {"sweep": "ValueError, 1 in a row"}
    assert work.seen[2] == {}


async def test_a_task_that_runs_for_long_after_a_failure_works_again(tasks: Supervision) -> None:
    ran = asyncio.Event()
    work = Work(1, ValueError("once"))

    async def for_ever() -> None:
        await work()
        ran.set()
        await asyncio.Event().wait()

    tasks.run("for_ever", for_ever)
    await ran.wait()
    assert "for_ever" in work.seen[1]
    await until(lambda: not failing_tasks())


async def test_what_is_closed_ends_and_is_named_no_more() -> None:
    tasks = Supervision(Backoff(first=HANG_SECONDS))
    work = Work(1, ValueError("once"))
    tasks.run("closed", work)
    await until(lambda: "closed" in failing_tasks())
    await tasks.close()
    assert "closed" not in failing_tasks()
    assert work.calls == 1


async def test_a_task_whose_library_loses_a_cancellation_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "_CANCEL_AGAIN_SECONDS", 0.01)
    began = asyncio.Event()
    lost: list[BaseException] = []

    async def stubborn() -> None:
        while True:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                if lost:
                    raise
                lost.append(error)

    tasks = Supervision(QUICK)
    tasks.run("stubborn", stubborn)
    await began.wait()
    await tasks.close()
    assert len(lost) == 1


@given(chance=st.floats(0, 1))
def test_pauses_grow_to_the_cap_and_are_spread_out(chance: float) -> None:
    backoff = Backoff(first=1, cap=60)
    pauses = [backoff.pause(failures, chance) for failures in range(1, 2000)]
    assert all(one <= other for one, other in pairwise(pauses))
    assert 0.5 <= pauses[0] <= 1
    assert 30 <= pauses[-1] <= 60
    assert backoff.pause(3, 0) < backoff.pause(3, 1)
