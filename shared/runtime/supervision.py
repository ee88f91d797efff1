"""Background tasks and what becomes of them when they fail: one that fails never ends its process.

A failure is logged and counted, and the task goes on after a pause that grows with each failure in
a row, up to a cap. Pauses are spread out, so that replicas do not fall in step. While a task fails,
`/readyz` names it; the process stays ready, as its other work goes on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from shared.runtime.metrics import TASK_FAILURES

_STEPS: Final = 10
"""Of doubling, at most: a float does not overflow, and any cap is reached."""
_CANCEL_AGAIN_SECONDS: Final = 5.0
_failing: Final[dict[str, TaskHealth]] = {}
_log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses after failures in a row, in seconds: they double up to the cap, less some chance."""

    first: float = 1.0
    cap: float = 60.0

    def pause(self, failures: int, chance: float) -> float:
        """Return the pause after a number of failures in a row; `chance` is from 0 to 1."""
        longest: float = min(self.cap, self.first * 2 ** min(failures - 1, _STEPS))
        return longest * (0.5 + chance / 2)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until each has ended.

    A library may lose a cancellation: `asyncio.wait_for` before Python 3.12 does where its result
    comes at the same moment. A task that goes on is cancelled again.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_CANCEL_AGAIN_SECONDS)


@dataclass(slots=True, eq=False)
class TaskHealth:
    """The health of a background task: failures in a row, in logs, metrics and `/readyz`."""

    name: str
    backoff: Backoff = field(default_factory=Backoff)
    failures: int = field(default=0, init=False)
    reason: str = field(default="", init=False)

    def failed(self, error: BaseException) -> float:
        """Note a failure; returns how many seconds to wait before going on."""
        self.failures += 1
        self.reason = type(error).__name__  # its text is for the log: /readyz may be public
        _failing[self.name] = self
        TASK_FAILURES.labels(self.name).inc()
        pause = self.backoff.pause(self.failures, random.random())  # noqa: S311 - no secret
        _log.error(
            "background_task_failed",
            task=self.name,
            failures=self.failures,
            seconds=round(pause, 1),
            exc_info=error,
        )
        return pause

    def well(self) -> None:
        """Note that it works, if it failed before."""
        if self.failures:
            _log.info("background_task_recovered", task=self.name, failures=self.failures)
            self.forget()

    def forget(self) -> None:
        """Begin anew: no failures."""
        self.failures = 0
        if _failing.get(self.name) is self:
            del _failing[self.name]


def failing_tasks() -> dict[str, str]:
    """Return the background tasks of this process that fail now: the error's kind, how often."""
    return {
        name: f"{health.reason}, {health.failures} in a row"
        for name, health in sorted(_failing.items())
    }


class Supervision:
    """The background tasks of a process, or of a part of it; `close` ends them."""

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, name: str, work: Work) -> None:
        """Run `work` until it returns, and again after a pause each time that it fails."""
        self._start(name, self._until_it_returns(name, work))

    def repeat(self, name: str, work: Work, seconds: float) -> None:
        """Call `work` every `seconds`; after a failure when its pause is over."""
        self._start(name, self._for_ever(name, work, seconds))

    async def close(self) -> None:
        """End the tasks."""
        await end_tasks(self._tasks)

    def _start(self, name: str, running: Coroutine[None, None, None]) -> None:
        self._tasks.add(asyncio.create_task(running, name=name))

    async def _until_it_returns(self, name: str, work: Work) -> None:
        with self._watched(name) as health:
            pause: float | None = 0.0
            while pause is not None:
                await asyncio.sleep(pause)
                # One that has run for as long as the longest pause works again.
                timer = asyncio.get_running_loop().call_later(self._backoff.cap, health.well)
                try:
                    pause = await _tried(health, work)
                finally:
                    timer.cancel()

    async def _for_ever(self, name: str, work: Work, seconds: float) -> None:
        with self._watched(name) as health:
            pause: float | None = None
            while True:
                await asyncio.sleep(seconds if pause is None else pause)
                pause = await _tried(health, work)

    @contextmanager
    def _watched(self, name: str) -> Iterator[TaskHealth]:
        TASK_FAILURES.labels(name)  # there before its first count, or nothing rises
        health = TaskHealth(name, self._backoff)
        try:
            yield health
        finally:
            health.forget()


async def _tried(health: TaskHealth, work: Work) -> float | None:
    """Do the work; returns the pause to make where it failed, None where it did not."""
    try:
        await work()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():  # else what it waited for was cancelled, not we
            raise
        return health.failed(error)
    except Exception as error:  # noqa: BLE001 - whatever it was, the process goes on
        return health.failed(error)
    health.well()
    return None
