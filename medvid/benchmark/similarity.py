"""Similarities: the mean cosine similarity of captions and their references, by task.

A free signal that is there long before a judge has read the captions. It is shown beside the
scores and never ranked: two captions that say the opposite of each other are near neighbours, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from medvid.benchmark.caption_pairs import JudgingPlan, MatchedPair, resting_on
from medvid.benchmark.embedder import Embedder
from medvid.benchmark.results import mean

METRICS: Final = {
    "vs_similarity": "vs_llm",
    "rc_similarity": "rc_llm",
    "dvc_similarity": "dvc_llm",
}
"""Each similarity rests on the pairs of the judge metric of its task."""
MAX_CHARACTERS: Final = 8192
"""Of each text. The encoder reads 256 word pieces, which are there long before in any language."""
MAX_TEXTS: Final = 100_000
"""Distinct texts of one metric; the largest honest file has about 5,000."""
_TEXTS_AT_A_TIME: Final = 1024
"""Bounds memory: 1.5 MB of embeddings and their activations."""


class TooManyTexts(ValueError):
    """A file has more distinct captions than are measured."""


@dataclass(frozen=True, slots=True)
class SourceSimilarity:
    """A similarity within one source; None where it has no pair.

    `samples` are those that it rests on, of which none may be most of it.
    """

    value: float | None
    pairs: int
    samples: int


@dataclass(frozen=True, slots=True)
class Similarity:
    """A similarity over the whole test set: from -1 to 1, None where there is no pair.

    `pairs` counts every pair at every threshold, `distinct_pairs` their distinct texts.
    """

    value: float | None
    pairs: int
    distinct_pairs: int
    by_source: Mapping[str, SourceSimilarity]


def measure(plan: JudgingPlan, metric: str, embedder: Embedder) -> Similarity:
    """Return one similarity of a file's caption pairs; each distinct text is encoded once.

    The means are those of the judge metric: over pairs for summaries and region captions; for dense
    captions over pairs, then thresholds that have any, then sources by their number of records.

    Raises:
        TooManyTexts: there are more than `MAX_TEXTS` distinct texts.

    """
    key = METRICS[metric]
    pairs, records = plan.pairs[key], plan.records[key]
    near = _similarities(plan, sorted({pair.text for pair in pairs}), embedder)
    values: dict[str, dict[float | None, list[float]]] = {source: {} for source in sorted(records)}
    matched: dict[str, list[MatchedPair]] = {source: [] for source in values}
    for pair in pairs:
        values[pair.source].setdefault(pair.threshold, []).append(near[pair.text])
        matched[pair.source].append(pair)
    by_source = {
        source: SourceSimilarity(
            value=mean(math.fsum(listed) / len(listed) for listed in found.values()),
            pairs=len(matched[source]),
            samples=resting_on(matched[source]),
        )
        for source, found in values.items()
    }
    is_dense = key == "dvc_llm"
    return Similarity(
        value=_over_sources(by_source, records) if is_dense else _over_pairs(pairs, near),
        pairs=len(pairs),
        distinct_pairs=len(near),
        by_source=by_source,
    )


def _over_pairs(pairs: Sequence[MatchedPair], near: Mapping[int, float]) -> float | None:
    return mean(near[pair.text] for pair in pairs)


def _over_sources(
    by_source: Mapping[str, SourceSimilarity], records: Mapping[str, int]
) -> float | None:
    """Return the mean weighted by records; a source without a pair counts 0 with its weight."""
    if not any(found.pairs for found in by_source.values()):
        return None
    weighted = ((by_source[source].value or 0.0) * count for source, count in records.items())
    return math.fsum(weighted) / sum(records.values())


def _similarities(plan: JudgingPlan, texts: Sequence[int], embedder: Embedder) -> dict[int, float]:
    """Return the cosine similarity of each of these text pairs, by index."""
    shortened = {text: tuple(side[:MAX_CHARACTERS] for side in plan.texts[text]) for text in texts}
    distinct = list(dict.fromkeys(side for sides in shortened.values() for side in sides))
    if len(distinct) > MAX_TEXTS:
        raise TooManyTexts(f"{len(distinct)} distinct captions, more than {MAX_TEXTS}")
    vectors = dict(zip(distinct, _encoded(distinct, embedder), strict=True))
    near: dict[int, float] = {}
    for text, (prediction, reference) in shortened.items():
        cosine = float(vectors[prediction] @ vectors[reference])
        near[text] = min(1.0, max(-1.0, cosine))  # of unit vectors, up to rounding
    return near


def _encoded(texts: Sequence[str], embedder: Embedder) -> Iterator[npt.NDArray[np.float64]]:
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        yield from embedder(texts[start : start + _TEXTS_AT_A_TIME]).astype(np.float64)
