"""A judge that counts its calls and answers as the stand-in does, or as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.judging import standin
from services.judge.ports import Finding, Grade, JudgeVersion, Pair

Texts = tuple[str, str]


def version(model: str = "fake-1", provider: str = "fake") -> JudgeVersion:
    return JudgeVersion(
        provider=provider,
        model=model,
        rubric="v1",
        prompt="1",
        parser="1",
        temperature=0.0,
        max_tokens=100,
        seed=None,
        max_caption_characters=None,
    )


def graded(pair: Pair) -> Grade:
    scores = standin.judge(CaptionPair(pair.prediction, pair.reference))
    return Grade(scores, None, "", "R2: ...", "fake-1", 10, 5, 0.01, 1, 3)


def ungraded(reason: str) -> Grade:
    return Grade(None, reason, "no idea", "???", "fake-1", 10, 5, 0.01, 2, 3)


class FakeGrader:
    """`script(pair, repeat)` returns a grade or raises; None stands for the stand-in's grade."""

    def __init__(
        self,
        script: Callable[[Pair, int], Grade | None] | None = None,
        *,
        model: str = "fake-1",
        provider: str = "fake",
        hold: asyncio.Event | None = None,
    ) -> None:
        self._version = version(model, provider)
        self.script = script
        self.hold = hold
        self.up = True
        self.learnt: Finding | None = None
        self.calls: Counter[Texts] = Counter()
        self.runs: list[UUID] = []
        self.called = asyncio.Event()

    @property
    def version(self) -> JudgeVersion:
        return self._version

    async def grade(self, pair: Pair, repeat: int, *, run_id: UUID) -> Grade:
        self.calls[pair.prediction, pair.reference] += 1
        self.runs.append(run_id)
        self.called.set()
        if self.hold is not None:
            await self.hold.wait()
        else:
            await asyncio.sleep(0)
        grade = self.script(pair, repeat) if self.script is not None else None
        return graded(pair) if grade is None else grade

    async def is_up(self) -> bool:
        return self.up

    def learn(self, finding: Finding) -> None:
        self.learnt = finding


class NoBudget:
    """Implements Budget without a cap, or with what it is told is left."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left

    async def left_microusd(self, run_id: UUID) -> int | None:  # noqa: ARG002 - the port's
        return self.left
