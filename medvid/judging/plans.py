"""A judging plan on its way to storage and back: distinct texts apart, matched pairs packed."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan, MatchedPair
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRICS, Task

_TASKS: Final = {metric.key: metric.task for metric in METRICS if metric.step == 2}
_GZIP_LEVEL: Final = 5


@dataclass(frozen=True, slots=True)
class DistinctPair:
    """Two texts to judge once.

    `ordinal` is their index in the plan, `uses` how many matched pairs count them, `metrics` in
    which metrics, `sources` of which sources. Texts are UTF-8, exactly as they stand.
    """

    ordinal: int
    sha256: bytes
    prediction: bytes
    reference: bytes
    metrics: tuple[str, ...]
    uses: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """What is kept of a plan: its distinct texts, and the matched pairs as packed bytes."""

    texts: tuple[DistinctPair, ...]
    packed: bytes


def task_of_metrics(metrics: tuple[str, ...] | list[str]) -> Task:
    """Return the task a text pair is shown under; the first metric's, if it counts in several."""
    return _TASKS[metrics[0]]


def pair_sha256(prediction: bytes, reference: bytes) -> bytes:
    """Return the identity of two texts; the length keeps them apart."""
    return hashlib.sha256(b"%d:%b%b" % (len(prediction), prediction, reference)).digest()


def store(plan: JudgingPlan) -> StoredPlan:
    """Return a plan as it is stored."""
    # A dict keeps what it has seen in order, each once.
    metrics: list[dict[str, None]] = [{} for _ in plan.texts]
    sources: list[dict[str, None]] = [{} for _ in plan.texts]
    uses = [0] * len(plan.texts)
    for key in JUDGE_METRIC_KEYS:
        for pair in plan.pairs.get(key, ()):
            uses[pair.text] += 1
            metrics[pair.text][key] = None
            sources[pair.text][pair.source] = None
    texts = tuple(
        _distinct(ordinal, text, tuple(metrics[ordinal]), uses[ordinal], tuple(sources[ordinal]))
        for ordinal, text in enumerate(plan.texts)
    )
    return StoredPlan(texts, pack(plan))


def _distinct(
    ordinal: int, text: CaptionPair, metrics: tuple[str, ...], uses: int, sources: tuple[str, ...]
) -> DistinctPair:
    prediction, reference = text.prediction.encode(), text.reference.encode()
    sha256 = pair_sha256(prediction, reference)
    return DistinctPair(ordinal, sha256, prediction, reference, metrics, uses, sources)


def pack(plan: JudgingPlan) -> bytes:
    """Return the matched pairs of a plan, column by column, without the texts."""
    columns = {
        key: {
            "records": plan.records[key],
            "text": [pair.text for pair in pairs],
            "source": [pair.source for pair in pairs],
            "sample": [pair.sample for pair in pairs],
            "threshold": [pair.threshold for pair in pairs],
        }
        for key, pairs in plan.pairs.items()
    }
    return gzip.compress(
        orjson.dumps({"texts": len(plan.texts), "metrics": columns}), _GZIP_LEVEL, mtime=0
    )


def unpack(packed: bytes) -> JudgingPlan:
    """Return a packed plan; its texts are empty, as aggregation needs only their number."""
    content = orjson.loads(gzip.decompress(packed))
    return JudgingPlan(
        texts=(CaptionPair("", ""),) * content["texts"],
        pairs={key: tuple(_matched(column)) for key, column in content["metrics"].items()},
        records={key: column["records"] for key, column in content["metrics"].items()},
    )


def _matched(column: dict[str, list[int]]) -> Iterator[MatchedPair]:
    names = ("text", "source", "sample", "threshold")
    for row in zip(*(column[name] for name in names), strict=True):
        yield MatchedPair(*row)
