"""Work on the test set in worker processes, each of which keeps the ground truth it last used.

The ground truth travels once to each worker and version: a worker that lacks it says so, and is
asked again with the file. So its memory is bounded, and its second job is fast.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, TypeVarTuple

from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import Predictions, validate_submission
from shared.runtime.errors import Permanent, Unavailable
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_CRASHES_ALLOWED: Final = 3
_LOAD_SECONDS: Final = 60.0


class TruthWorkers:
    """A pool whose functions get a test set; `load` returns a version's file (gzip)."""

    def __init__(self, pool: WorkerPool, load: Callable[[str], Awaitable[bytes]]) -> None:
        self._pool = pool
        self._load = load

    async def run(
        self,
        function: Callable[[TestSet, *Ts], T],
        version: str,
        *args: *Ts,
        timeout: float,  # noqa: ASYNC109 - the limit is the worker's: only a kill ends it
    ) -> T:
        """Run `function(test_set, *args)` in a worker.

        Raises what it raised, WorkerTimeout, WorkerCrashed, and what `load` raises.
        """
        answer = await self._pool.run(_work, function, version, None, args, timeout=timeout)
        if answer is None:
            truth = await self._load(version)
            answer = await self._pool.run(_work, function, version, truth, args, timeout=timeout)
        assert answer is not None  # noqa: S101 - it was given the ground truth
        return answer[0]

    async def run_or_give_up(
        self,
        what: str,
        function: Callable[[TestSet, *Ts], T],
        version: str,
        *args: *Ts,
        timeout: float,  # noqa: ASYNC109 - as above
    ) -> T:
        """Run it, and again when a worker crashes; `what` is named to the submission's owner.

        Raises Permanent (`<what>_timeout`, `<what>_crashed`) when this file can never be worked on.
        """
        for _ in range(_CRASHES_ALLOWED):
            try:
                return await self.run(function, version, *args, timeout=timeout)
            except WorkerTimeout as error:
                raise Permanent(
                    f"{what} took longer than {timeout:g} s and was stopped.",
                    code=f"{what}_timeout",
                ) from error
            except WorkerCrashed:
                continue
        raise Permanent(
            f"{what} of this file crashed its worker {_CRASHES_ALLOWED} times.",
            code=f"{what}_crashed",
        )

    async def prepare(self, version: str, workers: int) -> None:
        """Give this many workers this ground truth, so that their first job is done at once.

        Raises Unavailable when they cannot take it now; the first job brings it then.
        """
        truth = await self._load(version)
        jobs = (
            self._pool.run(_keep, version, truth, timeout=_LOAD_SECONDS) for _ in range(workers)
        )
        try:
            await asyncio.gather(*jobs)
        except (WorkerCrashed, WorkerTimeout) as error:
            raise Unavailable(f"workers are not prepared: {error.detail}") from error


def stored_predictions(payload: bytes, test_set: TestSet) -> Predictions:
    """Align a stored upload (gzip) again; raises Permanent if it is not valid any more."""
    validated = validate_submission(payload, test_set, minimum_records=0, diagnose=False)
    if validated.predictions is None:
        problem = validated.report.problems[0]
        raise Permanent(f"the file is not valid any more: {problem}", code="invalid_file")
    return validated.predictions


_kept: Final[dict[str, TestSet]] = {}  # in a worker: at most one


def _work(
    function: Callable[[TestSet, *Ts], T], version: str, truth: bytes | None, args: tuple[*Ts]
) -> tuple[T] | None:
    """Run the function (in a worker); None says that this worker needs the ground truth first."""
    if truth is not None:
        _keep(version, truth)
    test_set = _kept.get(version)
    return None if test_set is None else (function(test_set, *args),)


def _keep(version: str, truth: bytes) -> None:
    if version not in _kept:
        _kept.clear()
        _kept[version] = TestSet.from_ground_truth(load_ground_truth(truth))
