"""Checks uploads in worker processes."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.unpacking import GZIP_MAGIC, unpack
from medvid.benchmark.validation import validate_submission
from services.gateway.submissions.records import Checked
from shared.runtime.errors import InvalidInput, Unavailable
from shared.runtime.truth_workers import TruthWorkers
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout

_GZIP_LEVEL: Final = 3  # a 64 MiB file takes about a second
_PRIORITY_STEPS: Final = 10
_PAYLOAD_SUFFIX: Final = ".payload.gz"
_log = structlog.get_logger(__name__)


class Validator:
    """Checks files in worker processes; `load` returns the ground truth file of a version."""

    def __init__(
        self, pool: WorkerPool, load: Callable[[str], Awaitable[bytes]], *, seconds: float
    ) -> None:
        self._workers = TruthWorkers(pool, load)
        self._seconds = seconds

    async def check(self, file: Path, ground_truth_version: str) -> Checked:
        """Check a file; raises InvalidInput when it takes too long, Unavailable when we failed."""
        try:
            return await self._workers.run(check, ground_truth_version, file, timeout=self._seconds)
        except WorkerTimeout as error:
            raise InvalidInput(
                f"the file could not be checked within {self._seconds:g} s.",
                fix="Check it with 'medvid validate'; if it is in order, send it again.",
                code="validation_timeout",
            ) from error
        except WorkerCrashed as error:
            _log.warning("validation_crashed", error=error.detail)
            raise Unavailable(
                "the check of the file failed on our side.",
                fix="Try again.",
                code="validation_failed",
            ) from error


def yield_to_reads() -> None:
    """Let the process that answers requests go first where processors are few."""
    os.nice(_PRIORITY_STEPS)


def check(test_set: TestSet, file: Path) -> Checked:
    """Check a file; runs in a worker.

    The report is for the submitter, so it rests on the public part of the test set alone.
    """
    data = file.read_bytes()
    report = validate_submission(data, test_set.public).report
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


def _payload(file: Path, data: bytes) -> Path:
    """Return a gzip file of the upload: itself, if it came as one."""
    if data.startswith(GZIP_MAGIC):
        return file
    payload = file.with_name(file.name + _PAYLOAD_SUFFIX)
    payload.write_bytes(gzip.compress(data, _GZIP_LEVEL, mtime=0))
    return payload
