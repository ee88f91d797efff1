"""What a run will take, before it is paid for: calls, tokens, money, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

from medvid.benchmark.tasks import Task
from medvid.judging.pricing import MICROUSD, TokenPrice
from medvid.judging.prompt import Form, build_messages, estimate_tokens
from medvid.judging.rubric import Rubric

REPLY_TOKENS: Final = 40
"""Of a verdict, as models write it, without a reason."""
_BYTES_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class CallFigures:
    """What a call takes: tokens besides its captions, tokens of its reply, price, and its time.

    `concurrency` and `latency_seconds` stand in for a rate while nothing was measured.
    """

    overhead_tokens: int
    reply_tokens: int
    price: TokenPrice
    concurrency: int
    latency_seconds: float = 2.0

    @classmethod
    def of(cls, rubric: Rubric, price: TokenPrice, concurrency: int) -> Self:
        """Return what a call by this rubric takes, before anything was measured."""
        empty = build_messages(rubric, "", "", Task.VIDEO_SUMMARY, form=Form.JSON)
        reason = rubric.rationale.expected_tokens if rubric.rationale else 0
        return cls(estimate_tokens(empty), REPLY_TOKENS + reason, price, concurrency)


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """The public estimate; `cached` of the `distinct_pairs` x `repeats` are known already."""

    distinct_pairs: int
    repeats: int
    cached: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    microusd: int
    seconds: float

    def public(self) -> dict[str, object]:
        """Return the fields as plain values, money in US dollars."""
        facts = asdict(self)
        del facts["microusd"]
        return facts | {"usd": round(self.microusd / MICROUSD, 6)}


def estimate(
    lengths: Sequence[int],
    repeats: int,
    cached: int,
    figures: CallFigures,
    calls_per_second: float | None = None,
) -> RunEstimate:
    """Estimate a run of text pairs of these lengths (bytes), `cached` verdicts of which are known.

    Which pairs are cached hardly matters to the tokens: the mean length is taken for all.
    """
    items = len(lengths) * repeats
    calls = max(0, items - cached)
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    prompt = round(calls * (figures.overhead_tokens + mean / _BYTES_PER_TOKEN))
    completion = calls * figures.reply_tokens
    rate = calls_per_second or figures.concurrency / figures.latency_seconds
    return RunEstimate(
        distinct_pairs=len(lengths),
        repeats=repeats,
        cached=items - calls,
        calls=calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        microusd=figures.price.cost(prompt, completion),
        seconds=round(calls / rate, 1),
    )
