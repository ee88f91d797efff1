"""What a run will take, before it is paid for: calls, tokens, money, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Self

from medvid.benchmark.tasks import Task
from medvid.judging.calls import Usage
from medvid.judging.pricing import MICROUSD, TokenPrice
from medvid.judging.prompt import Form, build_messages, estimate_tokens
from medvid.judging.rubric import Rubric
from medvid.judging.versions import JudgeVersion

REPLY_TOKENS: Final = 40
"""Tokens of a verdict without a reason, as models write it."""
_BYTES_PER_TOKEN: Final = 4
_BATCH_SECONDS: Final = 24 * 3600.0
"""The longest that a provider takes to answer a batch."""
_ENOUGH: Final = 50
"""Verdicts that are enough to estimate what the next ones take."""


@dataclass(frozen=True, slots=True)
class ExpectedTokens:
    """What is known of a call before verdicts tell it, in tokens; raises ValueError.

    `reasoning`: spent before the reply, None for all that the limit leaves where an effort is set;
    `cached`: of the prompt's, those that come out of the provider's cache.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a setting with a wrong word is refused

    reasoning: int | None = None
    cached: int = 0

    def __post_init__(self) -> None:
        if min(self.reasoning or 0, self.cached) < 0:
            raise ValueError("tokens are not negative")


@dataclass(frozen=True, slots=True)
class Measured:
    """What verdicts took: the tokens of all their calls, and the bytes of their texts.

    `seconds`: mean time of an answer; None where none was waited for.
    """

    verdicts: int
    used: Usage
    text_bytes: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CallFigures:
    """What a verdict takes: price, time, and mean tokens of its calls.

    `overhead_tokens` of the prompt are beside its captions; `prompt_ratio`: tokens of a prompt over
    our estimate of them. `concurrency` and `latency_seconds` stand in for a rate while nothing was
    measured.
    """

    overhead_tokens: int
    reply_tokens: float
    price: TokenPrice
    concurrency: int
    latency_seconds: float = 2.0
    reasoning_tokens: float = 0
    cached_tokens: float = 0
    prompt_ratio: float = 1
    by_batch: bool = False
    """Whether calls travel in batches of the provider's, unless a run is to be fast."""

    @classmethod
    def of(
        cls,
        version: JudgeVersion,
        rubric: Rubric,
        price: TokenPrice,
        concurrency: int,
        expected: ExpectedTokens = ExpectedTokens(),
        *,
        by_batch: bool = False,
    ) -> Self:
        """Return what a verdict of this judge takes, before anything was measured."""
        empty = build_messages(rubric, "", "", Task.VIDEO_SUMMARY, form=Form.JSON)
        reply = REPLY_TOKENS + (rubric.rationale.expected_tokens if rubric.rationale else 0)
        reasoning = expected.reasoning
        if reasoning is None:
            thinks = version.reasoning_effort not in (None, "none")
            reasoning = max(0, version.max_tokens - reply) if thinks else 0
        return cls(
            overhead_tokens=estimate_tokens(empty),
            reply_tokens=reply,
            price=price,
            concurrency=concurrency,
            reasoning_tokens=reasoning,
            cached_tokens=expected.cached,
            by_batch=by_batch,
        )

    def after(self, measured: Measured) -> Self:
        """Return what the next verdict takes, if these are enough to tell it."""
        count, used = measured.verdicts, measured.used
        if count < _ENOUGH:
            return self
        expected = count * self.overhead_tokens + measured.text_bytes / _BYTES_PER_TOKEN
        return replace(
            self,
            reply_tokens=(used.completion - used.reasoning) / count,
            reasoning_tokens=used.reasoning / count,
            cached_tokens=used.cached / count,
            prompt_ratio=used.prompt / expected,
            latency_seconds=measured.seconds or self.latency_seconds,
        )

    @property
    def rate(self) -> float:
        """Pairs that one replica judges a second."""
        return self.concurrency / self.latency_seconds


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """The public estimate; `cached` of the `distinct_pairs` x `repeats` are known already.

    `fast_microusd`: what it would cost online; None where that is the only way. Of a batch
    `seconds` is the longest time.
    Of several judges calls, tokens and money are sums, and the slowest one counts.
    """

    distinct_pairs: int
    repeats: int
    cached: int
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    microusd: int
    seconds: float
    fast_microusd: int | None = None

    def public(self) -> dict[str, object]:
        """Return the fields as plain values, money in US dollars."""
        facts = asdict(self)
        money = {"usd": facts.pop("microusd"), "fast_usd": facts.pop("fast_microusd")}
        known = {name: each for name, each in money.items() if each is not None}
        return facts | {name: round(each / MICROUSD, 6) for name, each in known.items()}


def estimate(
    lengths: Sequence[int],
    repeats: int,
    cached: int,
    figures: CallFigures,
    calls_per_second: float | None = None,
    *,
    fast: bool = False,
) -> RunEstimate:
    """Estimate a run of text pairs of these lengths (bytes), `cached` verdicts of which are known.

    Which pairs are cached hardly matters to the tokens: the mean length is taken for all. `fast`:
    online, where others travel in batches.
    """
    items = len(lengths) * repeats
    calls = max(0, items - cached)
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    sent = figures.overhead_tokens + mean / _BYTES_PER_TOKEN
    prompt = round(calls * sent * figures.prompt_ratio)
    saved = min(prompt, round(calls * figures.cached_tokens))
    reasoning = round(calls * figures.reasoning_tokens)
    completion = round(calls * figures.reply_tokens) + reasoning
    used = Usage(prompt, completion, saved, reasoning)
    online = figures.price.cost(*used)
    by_batch = figures.by_batch and not fast
    rate = calls_per_second or figures.rate
    return RunEstimate(
        distinct_pairs=len(lengths),
        repeats=repeats,
        cached=items - calls,
        calls=calls,
        prompt_tokens=prompt,
        cached_tokens=saved,
        completion_tokens=completion,
        reasoning_tokens=reasoning,
        microusd=figures.price.by_batch.cost(*used) if by_batch else online,
        seconds=_BATCH_SECONDS if by_batch and calls else round(calls / rate, 1),
        fast_microusd=online if figures.by_batch else None,
    )


def together(found: Sequence[RunEstimate]) -> RunEstimate:
    """Return the estimate of judges that judge the same pairs side by side, by those of each."""
    first = found[0]
    if len(found) == 1:
        return first
    return RunEstimate(
        distinct_pairs=first.distinct_pairs,
        repeats=first.repeats,
        cached=sum(each.cached for each in found),
        calls=sum(each.calls for each in found),
        prompt_tokens=sum(each.prompt_tokens for each in found),
        cached_tokens=sum(each.cached_tokens for each in found),
        completion_tokens=sum(each.completion_tokens for each in found),
        reasoning_tokens=sum(each.reasoning_tokens for each in found),
        microusd=sum(each.microusd for each in found),
        seconds=max(each.seconds for each in found),
    )
