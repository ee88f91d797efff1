"""Checks uploads in worker processes, each of which keeps the test set it needs.

The test set travels once to each worker and version: a worker that lacks it says so, and is asked
again with the ground truth file.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from services.gateway.ports import Checked
from shared.benchmark.decoding import SUBMISSION_LIMITS
from shared.benchmark.ground_truth import load_ground_truth
from shared.benchmark.test_set import TestSet
from shared.benchmark.unpacking import GZIP_MAGIC, unpack
from shared.benchmark.validation import validate_submission
from shared.runtime.errors import InvalidInput, Unavailable
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout

_GZIP_LEVEL: Final = 3  # a 64 MiB file takes about a second
_PAYLOAD_SUFFIX: Final = ".payload.gz"
_log = structlog.get_logger(__name__)
_test_sets: Final[dict[str, TestSet]] = {}  # in a worker: the one version in use


class PooledValidator:
    """Implements Validator on a pool; `load` returns the ground truth file of a version."""

    def __init__(
        self, pool: WorkerPool, load: Callable[[str], Awaitable[bytes]], *, seconds: float
    ) -> None:
        self._pool = pool
        self._load = load
        self._seconds = seconds

    async def check(self, file: Path, ground_truth_version: str) -> Checked:
        """Check a file; raises InvalidInput when it takes too long, Unavailable when we failed."""
        try:
            checked = await self._ask(file, ground_truth_version, None)
            if checked is None:
                content = await self._load(ground_truth_version)
                checked = await self._ask(file, ground_truth_version, content)
        except WorkerTimeout as error:
            raise InvalidInput(
                f"the file could not be checked within {self._seconds:g} s.",
                fix="Check it with 'medvid validate'; if it is in order, send it again.",
                code="validation_timeout",
            ) from error
        except WorkerCrashed as error:
            _log.warning("validation_crashed", error=error.detail)
            raise _failed() from error
        if checked is None:
            raise _failed()
        return checked

    async def _ask(self, file: Path, version: str, ground_truth: bytes | None) -> Checked | None:
        return await self._pool.run(check, file, version, ground_truth, timeout=self._seconds)


def check(file: Path, version: str, ground_truth: bytes | None) -> Checked | None:
    """Check a file (in a worker); None says that this worker needs the ground truth first."""
    test_set = _test_set(version, ground_truth)
    if test_set is None:
        return None
    data = file.read_bytes()
    report = validate_submission(data, test_set).report
    if not report.ok:
        return Checked(report.to_dict(), report.problems, report.problem_count)
    unpacked = unpack(data, SUBMISSION_LIMITS.unpacked_bytes)
    return Checked(
        report=report.to_dict(),
        problems=(),
        problem_count=0,
        unpacked_sha256=hashlib.sha256(unpacked).hexdigest(),
        unpacked_bytes=len(unpacked),
        payload=_payload(file, data),
    )


def _test_set(version: str, ground_truth: bytes | None) -> TestSet | None:
    known = _test_sets.get(version)
    if known is None and ground_truth is not None:
        known = TestSet.from_ground_truth(load_ground_truth(ground_truth))
        _test_sets.clear()
        _test_sets[version] = known
    return known


def _payload(file: Path, data: bytes) -> Path:
    """Return a gzip file of the upload: itself, if it came as one."""
    if data.startswith(GZIP_MAGIC):
        return file
    payload = file.with_name(file.name + _PAYLOAD_SUFFIX)
    payload.write_bytes(gzip.compress(data, _GZIP_LEVEL, mtime=0))
    return payload


def _failed() -> Unavailable:
    return Unavailable(
        "the check of the file failed on our side.", fix="Try again.", code="validation_failed"
    )
