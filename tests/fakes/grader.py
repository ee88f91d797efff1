"""A judge that counts its calls and answers as the stand-in does, or as its test says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.judging import standin
from medvid.judging.calls import Usage
from medvid.judging.versions import JudgeVersion
from services.judge.verdict import Pair, ProviderState, Verdict

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


def graded(pair: Pair) -> Verdict:
    scores = standin.judge(CaptionPair(pair.prediction, pair.reference))
    return Verdict(scores, None, "", "R2: ...", "fake-1", 0.01, 1, 3, Usage(10, 5))


def ungraded(reason: str) -> Verdict:
    return Verdict(None, reason, "no idea", "???", "fake-1", 0.01, 2, 3, Usage(10, 5))


class FakeGrader:
    """`script(pair, repeat)` returns a grade or raises; None stands for the stand-in's grade."""

    def __init__(
        self,
        script: Callable[[Pair, int], Verdict | None] | None = None,
        *,
        model: str = "fake-1",
        provider: str = "fake",
        hold: asyncio.Event | None = None,
    ) -> None:
        self._version = version(model, provider)
        self.script = script
        self.hold = hold
        self.up = True
        self.learnt: ProviderState | None = None
        self.calls: Counter[Texts] = Counter()
        self.runs: list[UUID] = []
        self.called = asyncio.Event()

    allowed_calls = 16

    @property
    def version(self) -> JudgeVersion:
        return self._version

    async def judge(self, pair: Pair, repeat: int, *, run_id: UUID) -> Verdict:
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

    def learn(self, state: ProviderState) -> None:
        self.learnt = state
