"""CPU work in other processes: a hung, killed or crashed worker costs one job, never the service.

Each worker is a spawned process with a pipe of its own, so nothing is shared that a killed worker
could leave locked, and a worker that dies while idle is simply replaced at its next job.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from typing import Final, TypeVar, TypeVarTuple, cast

import structlog

from shared.runtime.errors import MedvidError

_log = structlog.get_logger(__name__)
_SPAWN: Final = multiprocessing.get_context("spawn")
_START_SECONDS: Final = 60.0
_READY: Final = "ready"

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WorkerTimeout(MedvidError):
    """A job ran longer than it may; its worker was killed."""

    code = "worker_timeout"


class WorkerCrashed(MedvidError):
    """A worker died during a job, could not start, or its answer could not be sent."""

    code = "worker_crashed"


class WorkerPool:
    """At most `size` processes that run module-level functions with picklable arguments.

    `initializer(*initargs)` runs first in every new process. Close the pool to end them; when this
    process dies by itself, even by SIGKILL, its workers end too.
    """

    def __init__(
        self,
        size: int,
        *,
        name: str = "worker",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        self._workers = [
            _Worker(f"{name}-{number}", initializer, initargs) for number in range(size)
        ]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=name)
        self._closed = False

    async def start(self) -> None:
        """Start every process now and wait for its initializer; optional, saves the first job."""
        loop = asyncio.get_running_loop()
        starts = (loop.run_in_executor(self._threads, worker.start) for worker in self._workers)
        await asyncio.gather(*starts)

    async def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        timeout: float,  # noqa: ASYNC109 - the limit is the worker's: only a kill ends it
    ) -> T:
        """Run `function(*args)` in a worker and return its answer, or raise what it raised.

        `timeout` in seconds counts from the moment a worker is free and started. Cancelling kills
        the worker. Raises WorkerTimeout, WorkerCrashed.
        """
        worker = await self._idle.get()
        if self._closed:  # maybe only since we wait: then the next that waits is woken in turn
            self._idle.put_nowait(worker)
            raise WorkerCrashed("the worker pool is closed")
        worker.doomed.clear()
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._threads, worker.call, function, args, timeout)
        try:
            failed, value = await asyncio.shield(job)
        except asyncio.CancelledError:
            worker.kill()  # wakes the thread, which then finds the pipe closed
            with contextlib.suppress(WorkerCrashed, WorkerTimeout):
                await job
            raise
        finally:
            self._idle.put_nowait(worker)
        if failed:
            raise cast(Exception, value)
        return cast(T, value)

    async def close(self) -> None:
        """Kill every worker, whatever it does; idempotent."""
        self._closed = True
        for worker in self._workers:
            worker.kill()
        await asyncio.to_thread(self._threads.shutdown)
        for worker in self._workers:
            worker.discard()


class _Worker:
    """One process and its pipe. One thread at a time calls it; `kill` may come from any."""

    def __init__(
        self, name: str, initializer: Callable[..., object] | None, initargs: tuple[object, ...]
    ) -> None:
        self._name = name
        self._initializer = initializer
        self._initargs = initargs
        self.doomed = threading.Event()  # killed while its process was only just being started
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process unless it runs; raises WorkerCrashed when it does not come up."""
        if self._process is not None and self._process.is_alive():
            return
        self.discard()
        self._pipe, child_pipe = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_serve,
            args=(child_pipe, self._initializer, self._initargs),
            name=self._name,
            daemon=True,
        )
        process.start()
        child_pipe.close()
        self._process = process
        if self.doomed.is_set():
            raise self._crash("start")
        self._receive(_START_SECONDS, "start")

    def call(
        self, function: Callable[..., object], args: tuple[object, ...], timeout: float
    ) -> tuple[bool, object]:
        """Return (raised, answer or exception)."""
        self.start()
        assert self._pipe is not None  # noqa: S101 - start() made it
        try:
            self._pipe.send((function, args))
        except OSError as error:
            raise self._crash("job") from error
        return self._receive(timeout, "job")

    def _receive(self, timeout: float, step: str) -> tuple[bool, object]:
        assert self._pipe is not None  # noqa: S101 - only called after start()
        try:
            if not self._pipe.poll(timeout):
                self.discard()
                _log.warning("worker_killed", worker=self._name, step=step, timeout=timeout)
                raise WorkerTimeout(f"the {step} took longer than {timeout:g} s and was stopped")
            pickled = self._pipe.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._crash(step) from error
        answer: tuple[bool, object] = pickle.loads(pickled)  # noqa: S301 - our own worker's
        return answer

    def _crash(self, step: str) -> WorkerCrashed:
        process = self._process
        self.discard()
        code = process.exitcode if process is not None else None
        _log.warning("worker_crashed", worker=self._name, step=step, exit_code=code)
        return WorkerCrashed(f"the worker process died during its {step} (exit code {code})")

    def kill(self) -> None:
        """End the process at once."""
        self.doomed.set()
        process = self._process
        if process is not None:
            process.kill()

    def discard(self) -> None:
        """Kill the process, reap it and close the pipe."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _serve(
    pipe: Connection, initializer: Callable[..., object] | None, initargs: tuple[object, ...]
) -> None:
    """Run jobs until the parent closes the pipe (in the child process)."""
    # A terminal or an init system signals the whole group; the parent decides when work ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)
    pipe.send((False, _READY))
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        _answer(pipe, function, args)


def _answer(pipe: Connection, function: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        answer: tuple[bool, object] = False, function(*args)
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        answer = True, error
    try:
        pickled = pickle.dumps(answer)
        if answer[0]:
            pickle.loads(pickled)  # noqa: S301 - our own; many exceptions only fail here
    except Exception as error:  # noqa: BLE001 - whatever a foreign __reduce__ raises
        problem = f"{type(answer[1]).__name__} cannot travel between processes: {error}"
        pickled = pickle.dumps((True, WorkerCrashed(problem)))
    pipe.send_bytes(pickled)


def _end_with_parent() -> None:
    """Leave when the parent is gone, also in the middle of a job."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
