"""A run over samples: who is asked next, what stops it, and what it came to."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.tasks import Task
from medvid.judging.calls import CallFailed, Completion, Usage
from medvid.judging.explanations import explained
from medvid.predict.frames import FrameSettings, UnreadableFrame
from medvid.predict.prompts import Form, Prompts
from medvid.predict.records import CallRecord, CallStatus, Records
from medvid.predict.requests import PASSING, PredictionEndpoint
from medvid.predict.samples import VideoSample

DEFAULT_TOKENS: Final = 256
"""New tokens of an answer, as in the reference pipeline."""
_CUT_OFF: Final = "length"
_MOST_FAILURES_IN_A_ROW: Final = 5
"""An endpoint that fails so often, each time with all repetitions, is out of reach."""
Stopped = Literal["", "unusable", "unreachable"]


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """New tokens of an answer: of all tasks, and of single ones."""

    default: int = DEFAULT_TOKENS
    by_task: Mapping[Task, int] = field(default_factory=dict)

    def of(self, sample: VideoSample) -> int:
        """Return the limit of a sample's answer."""
        return self.by_task.get(sample.item.task, self.default)


@dataclass(slots=True)
class RunSummary:
    """What a run came to. `stopped` says why it ended early, `reason` in words."""

    asked: int = 0
    failed: int = 0
    stopped: Stopped = ""
    reason: str = ""


@dataclass(slots=True)
class Run:
    """Asks for samples; each answer is on disk before its worker takes another sample."""

    endpoint: PredictionEndpoint
    prompts: Prompts
    frames: FrameSettings
    form: Form
    limits: TokenLimits
    records: Records
    note: Callable[[CallRecord], None] = lambda _record: None
    outcome: RunSummary = field(default_factory=RunSummary)
    _failures_in_a_row: int = 0

    async def ask(self, samples: Sequence[VideoSample], concurrency: int) -> RunSummary:
        """Ask for all samples, `concurrency` at a time; what is open ends even if it stops."""
        waiting = iter(samples)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(samples))):
                group.create_task(self._work(waiting))
        return self.outcome

    async def _work(self, waiting: Iterator[VideoSample]) -> None:
        for sample in waiting:
            if self.outcome.stopped:
                return
            record = await self._one(sample)
            self.records.add(record)
            self.outcome.asked += 1
            self.outcome.failed += not record.is_answered
            self.note(record)

    async def _one(self, sample: VideoSample) -> CallRecord:
        started, limit = time.monotonic(), self.limits.of(sample)
        item = sample.item
        try:
            messages = await asyncio.to_thread(
                self.prompts.messages, sample, self.frames, self.form
            )
            answer = await self.endpoint.ask(messages, limit)
        except UnreadableFrame as error:
            detail = str(error)
        except CallFailed as failure:
            detail = explained(failure)
            self._consider(failure)
        else:
            self._failures_in_a_row = 0
            return _answered(sample, answer, limit, time.monotonic() - started)
        return CallRecord(item.index, item.id, item.qa_type, CallStatus.FAILED, detail=detail,
                      seconds=round(time.monotonic() - started, 3))  # fmt: skip

    def _consider(self, failure: CallFailed) -> None:
        """Stop where the next samples would fail in the same way."""
        if failure.kind == "unusable":
            self.outcome.stopped, self.outcome.reason = "unusable", explained(failure)
        elif failure.kind in PASSING:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _MOST_FAILURES_IN_A_ROW and not self.outcome.stopped:
                self.outcome.stopped, self.outcome.reason = "unreachable", failure.detail


def still_to_ask(
    samples: Sequence[VideoSample], records: Records, limits: TokenLimits
) -> list[VideoSample]:
    """Return the samples without an answer, and those cut off by a lower limit than now."""
    return [
        sample
        for sample in samples
        if (known := records.by_index.get(sample.item.index)) is None
        or not known.is_final(limits.of(sample))
    ]


def cut_off_by_task(samples: Sequence[VideoSample], records: Records) -> Counter[str]:
    """Return how many answers of each task the limit of tokens cut off."""
    return Counter(
        sample.item.task.value
        for sample in samples
        if (known := records.by_index.get(sample.item.index)) is not None
        and known.status is CallStatus.TRUNCATED
    )


def _answered(sample: VideoSample, answer: Completion, limit: int, seconds: float) -> CallRecord:
    text = _submittable(answer.content or "")
    cut_off = answer.finish_reason == _CUT_OFF or len(text) < len(answer.content or "")
    usage = answer.usage or Usage(0, 0)
    return CallRecord(
        index=sample.item.index,
        id=sample.item.id,
        qa_type=sample.item.qa_type,
        status=CallStatus.TRUNCATED if cut_off else CallStatus.ANSWERED,
        prediction=text,
        max_tokens=limit,
        model=answer.model,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        seconds=round(seconds, 3),
    )


def _submittable(text: str) -> str:
    """Return a text that a submission can hold: whole characters, and not too many bytes."""
    packed = text.encode("utf-8", "replace")
    return packed[: SUBMISSION_LIMITS.prediction_bytes].decode("utf-8", "ignore")
