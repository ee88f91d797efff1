"""The value of one answer, 0 to 1, by the metrics' own code; captions by judge and similarity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import orjson

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan, plan
from medvid.benchmark.embedder import Embedder, Embeddings
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import Sample, load_ground_truth
from medvid.benchmark.metrics import cvs, dvc, nap, sa, stg, tal
from medvid.benchmark.results import AnsweredSample, TaskScore
from medvid.benchmark.similarity import MAX_CHARACTERS
from medvid.benchmark.tasks import CAPTION_TASKS, SCORINGS, Scoring, Task
from medvid.judging.verdicts import SCORES, Verdict, is_valid

NextAction = Literal["exact", "compat"]
NEXT_ACTIONS: Final[tuple[NextAction, ...]] = ("exact", "compat")
Judge = Callable[[Task, Sequence[CaptionPair]], Sequence[Verdict | None]]
"""Scores caption pairs of a task, in order; None where it gave no valid verdict."""
_RULES: Final[Mapping[Task, Callable[[Sequence[AnsweredSample]], TaskScore]]] = {
    Task.TAL: tal.score,
    Task.STG: stg.score,
    Task.DENSE_CAPTIONING: dvc.score,
    Task.CVS_ASSESSMENT: cvs.score,
    Task.SKILL_ASSESSMENT: sa.score,
}
_KNOWN_SAMPLES: Final = 1 << 14
"""A prompt's answers come together: each sample is read once for all of them."""
_KNOWN_TEXTS: Final = 1 << 16
"""Embeddings that are kept: 100 MB."""


@dataclass(frozen=True, slots=True)
class RewardItem:
    """One answer of a model to one sample."""

    sample: Sample
    text: str


@lru_cache(maxsize=_KNOWN_SAMPLES)
def read_sample(record: str) -> Sample:
    """Return the sample of a record of the ground truth or training set, as JSON text.

    Raises InvalidGroundTruth (a ValueError) with what it lacks.
    """
    return load_ground_truth(b"[" + record.encode() + b"]").samples[0]


def as_text(record: str | Mapping[str, Any]) -> str:
    """Return a record as JSON text; a text is taken as it is."""
    return record if isinstance(record, str) else orjson.dumps(record).decode()


@dataclass(slots=True)
class CachedEmbedder:
    """Keeps the embeddings of distinct texts; what is new goes to the encoder in one call.

    Threads may share it: a trainer's workers ask one after the other.
    """

    embedder: Embedder
    _known: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, texts: Sequence[str], /) -> Embeddings:
        """Return one embedding a text, in order."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            if new:
                found = dict(zip(new, self.embedder(new), strict=True))
                if len(self._known) + len(found) > _KNOWN_TEXTS:
                    self._known = {text: self._known[text] for text in texts if text in self._known}
                self._known |= found
            return np.array([self._known[text] for text in texts], dtype=np.float32)


def _local_model(texts: Sequence[str], /) -> Embeddings:
    """Encode with the installed model, which is loaded at the first call; raises ModelMissing."""
    return load_embedder()(texts)


@dataclass(frozen=True, slots=True)
class Valuation:
    """How answers are valued; `scoring` as on the board.

    Next actions match exactly or, with `next_action="compat"`, by the nearest label too. Summaries
    and region captions are valued by similarity and, where there is a `judge`, half by each; dense
    captions by their F1 and, where there is a judge, half by their matched captions.
    """

    scoring: Scoring = "compat"
    next_action: NextAction = "exact"
    judge: Judge | None = None
    embedder: Embedder = field(default_factory=lambda: CachedEmbedder(_local_model))

    def __post_init__(self) -> None:
        """Refuse words that mean nothing here: trainers pass them as texts."""
        if self.scoring not in SCORINGS:
            raise ValueError(f"scoring is one of {', '.join(SCORINGS)}, not {self.scoring!r}")
        if self.next_action not in NEXT_ACTIONS:
            raise ValueError(f"nap is one of {', '.join(NEXT_ACTIONS)}, not {self.next_action!r}")

    def of(self, items: Sequence[RewardItem]) -> list[float]:
        """Return the value of each answer, from 0 to 1; 0 where nothing can be scored."""
        captions = self._captions(items)
        nearest = self._nearest(items)
        values: list[float] = []
        for place, item in enumerate(items):
            rule = rule_value(item, self.scoring, nearest)
            parts = [each for each in (rule, captions.get(place)) if each is not None]
            values.append(math.fsum(parts) / len(parts))
        return values

    def _nearest(self, items: Sequence[RewardItem]) -> Embedder | None:
        """Return the encoder for next actions; a batch's texts go through it in one call."""
        texts = [each.text.strip() for each in items if each.sample.task is Task.NEXT_ACTION]
        if self.next_action == "exact" or not texts:
            return None
        self.embedder(texts)
        return self.embedder

    def _captions(self, items: Sequence[RewardItem]) -> dict[int, float]:
        """Return the caption value of the items that have one, by place."""
        values: dict[int, float] = {}
        for task in CAPTION_TASKS:
            if task is Task.DENSE_CAPTIONING and self.judge is None:
                continue
            found = {place: plan([each.sample], [each.text]) for place, each in enumerate(items)
                     if each.sample.task is task}  # fmt: skip
            of_pair = self._of_pairs(task, list(dict.fromkeys(
                pair for each in found.values() for pair in each.texts
            )))  # fmt: skip
            values |= {place: _over_thresholds(each, of_pair) for place, each in found.items()}
        return values

    def _of_pairs(self, task: Task, pairs: Sequence[CaptionPair]) -> dict[CaptionPair, float]:
        if not pairs:
            return {}
        values = similarities(pairs, self.embedder)
        if self.judge is not None:
            verdicts = map(judged, self.judge(task, pairs))
            values = [(a + b) / 2 for a, b in zip(values, verdicts, strict=True)]
        return dict(zip(pairs, values, strict=True))


def rule_value(item: RewardItem, scoring: Scoring, nearest: Embedder | None = None) -> float | None:
    """Return the mean of an item's rule-based metrics over a test set of this one sample.

    0 where the metric leaves the answer out; None where the task has no such metric. `nearest`
    finds the label of next actions that match none exactly.
    """
    answers = [AnsweredSample(item.sample, item.text)]
    if item.sample.task is Task.NEXT_ACTION:
        score = nap.score(answers, nearest)
    elif item.sample.task in _RULES:
        score = _RULES[item.sample.task](answers)
    else:
        return None
    values = [getattr(metric, scoring) or 0.0 for metric in score.metrics.values()]
    return math.fsum(values) / len(values)


def reward_values(sample: Sample, text: str) -> dict[Scoring, float] | None:
    """Return the rule value by scoring, None where the task has none; next actions exactly."""
    found = {scoring: rule_value(RewardItem(sample, text), scoring) for scoring in SCORINGS}
    return {key: value for key, value in found.items() if value is not None} or None


def similarities(pairs: Sequence[CaptionPair], embedder: Embedder) -> list[float]:
    """Return the cosine similarity of each pair, negative ones as 0."""
    vectors = embedder([side[:MAX_CHARACTERS] for pair in pairs for side in pair])
    near = np.einsum("ij,ij->i", *(vectors[side::2].astype(np.float64) for side in (0, 1)))
    return [min(1.0, max(0.0, float(value))) for value in near]


def judged(verdict: Verdict | None) -> float:
    """Return a verdict as 0 to 1; what was not judged counts as the lowest."""
    if verdict is None or not is_valid(verdict):
        return 0.0
    lowest, highest = SCORES[0], SCORES[-1]
    return (math.fsum(verdict.values()) / len(verdict) - lowest) / (highest - lowest)


def _over_thresholds(found: JudgingPlan, values: Mapping[CaptionPair, float]) -> float:
    """Return the mean over pairs, then over thresholds that have any; 0 without a pair."""
    by_threshold: dict[float | None, list[float]] = {}
    for pairs in found.pairs.values():
        for pair in pairs:
            by_threshold.setdefault(pair.threshold, []).append(values[found.texts[pair.text]])
    means = [math.fsum(each) / len(each) for each in by_threshold.values()]
    return math.fsum(means) / len(means) if means else 0.0
