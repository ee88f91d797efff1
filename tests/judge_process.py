"""A judge replica in a process of its own, whose model is the stand-in with a latency.

    python -m tests.judge_process

`MEDVID_TEST_LATENCY`: seconds of a call. `MEDVID_TEST_CALLS`: a file that gets a line for each.
`MEDVID_TEST_FAULTS`: put off one call in so many, by the text and the try (0: none).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from medvid.judging.plans import pair_sha256
from medvid.judging.versions import JudgeVersion
from services.judge.app import run
from services.judge.open_judge import Judge
from services.judge.settings import JudgeSettings
from services.judge.verdict import Pair, ProviderState, TryLater, Verdict
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.lifecycle import run_service
from tests.fakes.grader import graded, version


class SlowGrader:
    """Answers as the stand-in does, after a while, at most so many at a time."""

    def __init__(self, concurrency: int) -> None:
        self.allowed_calls = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._latency = float(os.environ.get("MEDVID_TEST_LATENCY", "0"))
        self._faults = int(os.environ.get("MEDVID_TEST_FAULTS", "0"))
        self._asked: Counter[bytes] = Counter()
        path = os.environ.get("MEDVID_TEST_CALLS")
        self._log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if path else None

    @property
    def version(self) -> JudgeVersion:
        return version()

    async def judge(self, pair: Pair, repeat: int, *, run_id: UUID) -> Verdict:  # noqa: ARG002
        async with self._slots:
            sha256 = pair_sha256(pair.prediction.encode(), pair.reference.encode())
            self._asked[sha256] += 1
            if self._faults and self._asked[sha256] == 1 and sha256[0] % self._faults == 0:
                raise TryLater(0.05, "told to")
            if self._log is not None:
                os.write(self._log, f"{sha256.hex()}\n".encode())
            await asyncio.sleep(self._latency)
            return graded(pair)

    async def is_up(self) -> bool:
        return True

    def learn(self, state: ProviderState) -> None:
        pass


@asynccontextmanager
async def open_slow_judge(_: Infrastructure, settings: JudgeSettings) -> AsyncIterator[Judge]:
    async def no_cap() -> None:
        return None

    yield Judge(SlowGrader(settings.judge_concurrency), no_cap)


if __name__ == "__main__":
    raise SystemExit(run_service("judge", JudgeSettings, partial(run, opener=open_slow_judge)))
