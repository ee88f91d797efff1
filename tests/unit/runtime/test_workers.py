"""The worker pool: answers, errors, timeouts, crashes, cancellation; always usable afterwards."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from shared.runtime.errors import InvalidInput
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout
from tests.depth import deep
from tests.patience import HANG_SECONDS

_state: dict[str, object] = {}


def remember(word: str) -> None:
    _state["word"] = word


def recall() -> object:
    return _state.get("word")


def double(value: int) -> int:
    return 2 * value


def refuse(_: int) -> None:
    raise InvalidInput("no", fix="do not ask", code="special")


def die(code: int) -> None:
    os._exit(code)


def hang() -> None:
    while True:
        time.sleep(1)


def unpicklable() -> object:
    return lambda: None


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(1, initializer=remember, initargs=("hello",))
    yield pool
    await pool.close()


async def test_answers_and_initializes(pool: WorkerPool) -> None:
    await pool.start()
    assert await pool.run(double, 21, timeout=HANG_SECONDS) == 42
    assert await pool.run(recall, timeout=HANG_SECONDS) == "hello"


async def test_an_exception_comes_back_whole(pool: WorkerPool) -> None:
    with pytest.raises(InvalidInput, match="no") as caught:
        await pool.run(refuse, 1, timeout=HANG_SECONDS)
    assert (caught.value.fix, caught.value.error_code) == ("do not ask", "special")


async def test_a_hung_worker_is_killed_and_replaced(pool: WorkerPool) -> None:
    with pytest.raises(WorkerTimeout):
        await pool.run(hang, timeout=0.2)
    assert await pool.run(double, 2, timeout=HANG_SECONDS) == 4


async def test_a_crash_is_named_and_the_pool_lives(pool: WorkerPool) -> None:
    with pytest.raises(WorkerCrashed, match="exit code 7"):
        await pool.run(die, 7, timeout=HANG_SECONDS)
    assert await pool.run(recall, timeout=HANG_SECONDS) == "hello"


@deep
async def test_a_worker_that_died_idle_is_replaced(pool: WorkerPool) -> None:
    pid = await pool.run(os.getpid, timeout=HANG_SECONDS)
    os.kill(pid, 9)
    with_new: int | None = None
    while with_new is None:  # the death may be noticed before or during the job
        try:
            with_new = await pool.run(os.getpid, timeout=HANG_SECONDS)
        except WorkerCrashed:
            continue
    assert with_new != pid


@deep
async def test_an_answer_that_cannot_travel_is_an_error(pool: WorkerPool) -> None:
    with pytest.raises(WorkerCrashed, match="cannot travel"):
        await pool.run(unpicklable, timeout=HANG_SECONDS)
    assert await pool.run(double, 3, timeout=HANG_SECONDS) == 6


async def test_cancelling_kills_the_worker(pool: WorkerPool) -> None:
    await pool.start()
    job = asyncio.create_task(pool.run(hang, timeout=HANG_SECONDS))
    await asyncio.sleep(0.05)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert await pool.run(double, 4, timeout=HANG_SECONDS) == 8


async def test_jobs_share_the_workers() -> None:
    pool = WorkerPool(2)
    try:
        answers = await asyncio.gather(
            *(pool.run(double, n, timeout=HANG_SECONDS) for n in range(8))
        )
        assert answers == [2 * n for n in range(8)]
    finally:
        await pool.close()
    with pytest.raises(WorkerCrashed, match="closed"):
        await pool.run(double, 1, timeout=1)


async def test_a_job_that_waited_when_the_pool_was_closed_is_not_begun() -> None:
    pool = WorkerPool(1)
    jobs = [asyncio.create_task(pool.run(hang, timeout=HANG_SECONDS)) for _ in range(3)]
    await asyncio.sleep(0)
    await pool.close()
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(end) for end in ends] == [WorkerCrashed] * 3
