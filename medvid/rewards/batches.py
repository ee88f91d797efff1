"""Rewards of a batch: values, normalised where a file of percentiles is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medvid.benchmark.tasks import Scoring
from medvid.rewards import normalisation
from medvid.rewards.judge import EndpointJudge
from medvid.rewards.values import NextAction, RewardItem, Valuation, as_text, read_sample


@dataclass(frozen=True, slots=True)
class Reward:
    """`score` is what is optimised; `value` is the metric's value before normalisation."""

    score: float
    value: float


@dataclass(frozen=True, slots=True)
class Rewards:
    """Rewards answers by a valuation and, where there are any, a baseline's spreads."""

    valuation: Valuation
    spreads: normalisation.Spreads | None = None

    def of(self, answers: Sequence[tuple[str | Mapping[str, Any], str]]) -> list[Reward]:
        """Return a reward for each (record, text), in order.

        A source and task that the baseline lacks keeps its value. Raises InvalidGroundTruth for a
        record that is not valid.
        """
        items = [RewardItem(read_sample(as_text(record)), text) for record, text in answers]
        return [
            Reward(self._normalised(item, value), value)
            for item, value in zip(items, self.valuation.of(items), strict=True)
        ]

    def _normalised(self, item: RewardItem, value: float) -> float:
        spread = (self.spreads or {}).get((item.sample.source, item.sample.task))
        return spread.normalised(value) if spread else value


@cache
def rewards(
    scoring: Scoring = "compat",
    nap: NextAction = "exact",
    percentiles: str | None = None,
    judge_base_url: str | None = None,
    judge_model: str | None = None,
) -> Rewards:
    """Return the rewards of these options, as trainers pass them; one a process.

    `percentiles` is a file of 'medvid rewards fit'. Raises ValueError for what cannot be used.
    """
    if (judge_base_url is None) != (judge_model is None):
        raise ValueError("a judge needs judge_base_url and judge_model")
    judge = EndpointJudge(judge_base_url, judge_model) if judge_base_url and judge_model else None
    valuation = Valuation(scoring, nap, judge)
    spreads = normalisation.load(Path(percentiles), scoring) if percentiles else None
    return Rewards(valuation, spreads)
