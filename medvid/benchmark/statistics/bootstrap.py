"""The bootstrap over videos: how often each counts in each replicate, and replicates of values.

Within each source the videos are drawn with replacement. The draws depend on the ground truth's
version alone, so one set of weights serves every entry and metric, and differences are paired.
Weights and replicates stay inside: together they tell each video's part of a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.sums import Array, Contributions, Sums
from medvid.benchmark.versions import STATISTICS_VERSION

REPLICATES: Final = 1000
_PRECISION: Final = 2.0**-53

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """The draws of one ground truth; made once and used for every file scored against it.

    `clusters` holds, by sample index, the number of the sample's video within its source;
    `weights`, by source, replicates by videos, how often each video was drawn.
    """

    ground_truth_version: str
    clusters: NDArray[np.int64]
    weights: Mapping[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A value's replicates, and the number of videos that it rests on."""

    replicates: Array
    clusters: int


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """A metric's replicates in one scoring: over the whole test set, and by source."""

    whole: Estimate
    by_source: Mapping[str, Estimate]


def resample(samples: Sequence[Sample], ground_truth_version: str) -> Resampling:
    """Draw the videos of a whole ground truth, given as all of its samples in order."""
    clusters, videos = videos_of(samples)
    return draw(ground_truth_version, clusters, videos)


def videos_of(samples: Sequence[Sample]) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Return each sample's video, by its number within its source, and how many a source has."""
    videos: dict[str, set[str]] = {}
    for sample in samples:
        videos.setdefault(sample.source, set()).add(sample.video_id)
    numbers = {
        source: {video: number for number, video in enumerate(sorted(found))}
        for source, found in sorted(videos.items())
    }
    clusters = np.array([numbers[each.source][each.video_id] for each in samples], np.int64)
    return clusters, {source: len(found) for source, found in numbers.items()}


def draw(
    ground_truth_version: str, clusters: NDArray[np.int64], videos: Mapping[str, int]
) -> Resampling:
    """Draw videos, given as `videos_of` returns them: that is all that draws depend on."""
    weights = {source: _weights(ground_truth_version, source, n) for source, n in videos.items()}
    return Resampling(ground_truth_version, clusters, weights)


def _weights(ground_truth_version: str, source: str, videos: int) -> Array:
    """Return replicates by videos: how often each is drawn. The stream of draws is stable."""
    named = f"medvid-bootstrap-{STATISTICS_VERSION}\0{ground_truth_version}\0{source}"
    seed = int(hashlib.sha256(named.encode()).hexdigest(), 16)
    raw = np.random.PCG64(seed).random_raw(REPLICATES * videos)
    draws = np.floor((raw >> np.uint64(11)) * _PRECISION * videos).astype(np.int64)
    rows = draws.reshape(REPLICATES, videos) + np.arange(REPLICATES)[:, None] * videos
    counts = np.bincount(rows.ravel(), minlength=REPLICATES * videos)
    return counts.reshape(REPLICATES, videos).astype(np.float64)


def estimates(
    contributions: Mapping[Key, Contributions], resampling: Resampling
) -> dict[Key, Estimates]:
    """Return the replicates of several metrics' values, under their own keys.

    Raises KeyError or IndexError for contributions of another ground truth.
    """
    cluster_sums = {key: _cluster_sums(each, resampling) for key, each in contributions.items()}
    drawn: dict[Key, dict[str, Array]] = {key: {} for key in contributions}
    for source, weights in resampling.weights.items():
        there = {key: sums[source] for key, sums in cluster_sums.items() if source in sums}
        if there:  # one product for all metrics: the weights are the larger part to read
            product = weights @ np.concatenate(list(there.values()), axis=1)
            ends = np.cumsum([sums.shape[1] for sums in there.values()])
            for key, part in zip(there, np.split(product, ends[:-1], axis=1), strict=True):
                drawn[key][source] = part
    return {
        key: _estimates(each, cluster_sums[key], drawn[key]) for key, each in contributions.items()
    }


def _cluster_sums(contributions: Contributions, resampling: Resampling) -> dict[str, Array]:
    """Return by source the sums over each video, videos by columns."""
    sums: dict[str, Array] = {}
    for source, numbers in contributions.rows_by_source().items():
        videos = resampling.weights[source].shape[1]
        clusters = resampling.clusters[contributions.samples[numbers]]
        columns = contributions.rows[numbers].T
        sums[source] = np.stack(
            [np.bincount(clusters, column, minlength=videos) for column in columns], axis=1
        )
    return sums


def _estimates(
    contributions: Contributions, sums: Mapping[str, Array], drawn: Mapping[str, Array]
) -> Estimates:
    none = np.zeros((REPLICATES, contributions.rows.shape[1]))
    values = contributions.formula(Sums(sum(drawn.values(), start=none), drawn))
    clusters = {
        source: int((found[:, contributions.counted] != 0).any(axis=1).sum())
        for source, found in sums.items()
    }
    return Estimates(
        Estimate(values.whole, sum(clusters.values())),
        {source: Estimate(found, clusters[source]) for source, found in values.by_source.items()},
    )
