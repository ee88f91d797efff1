"""What other rules say of a board's order, beside the board's own (SPEC 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from medvid.benchmark.ranking import RankedRow, standings
from medvid.benchmark.statistics.normalised import percentiles
from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import METRIC_KEYS, Ranking

Range = tuple[int, int]
"""The smallest and the largest place."""
BySource = Mapping[str, Mapping[str, float | None]]
"""One entry's compat values, by metric and source."""
_NUMBERS_AT_ONCE = 1 << 18
"""Of one metric: leaving entries out of a large board takes 60 MB."""


class HasRanks(Protocol):
    """What is weighted of a row."""

    @property
    def ranks(self) -> Mapping[str, int]: ...  # noqa: D102 - a row's own word


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """An entry's places over all boards that lack one other entry, or one metric."""

    one_entry_out: Range
    one_metric_out: Range


@dataclass(frozen=True, slots=True)
class Majority:
    """An entry's place by pairwise majority; `copeland` is its wins minus its losses."""

    copeland: int
    majority_place: int


# Each function takes all ranked rows of a board, best first, as `ranking.rank` gives them, and
# answers in their order.


def sensitivity(
    ranked: Sequence[RankedRow],
    ranking: Ranking = "competition",
    metrics: Sequence[str] = METRIC_KEYS,
) -> list[Sensitivity]:
    """Return how far each entry moves when one other entry, or one metric, is left out.

    An entry that is left out is counted as if it kept its own place.
    """
    if not ranked:
        return []
    by_name = np.array(sorted(range(len(ranked)), key=lambda n: ranked[n].model_name))
    table = np.array([[_number(row.values[key]) for key in metrics] for row in ranked])[by_name]
    own = by_name + 1  # rows stand in order of rank
    entry_low, entry_high = _one_entry_out(table, own, ranking)
    metric_low, metric_high = own.copy(), own.copy()
    for left_out in range(len(metrics)) if len(metrics) > 1 else ():
        columns = [table[None, :, n] for n in range(len(metrics)) if n != left_out]
        places = standings(columns, ranking).places[0]
        metric_low, metric_high = np.minimum(metric_low, places), np.maximum(metric_high, places)
    return [
        Sensitivity(
            (int(entry_low[n]), int(entry_high[n])), (int(metric_low[n]), int(metric_high[n]))
        )
        for n in np.argsort(by_name)
    ]


def _one_entry_out(table: Array, own: Array, ranking: Ranking) -> tuple[Array, Array]:
    """Return the smallest and largest places; an entry without any value takes no part."""
    low, high = own.copy(), own.copy()
    count = len(table)
    step = max(1, _NUMBERS_AT_ONCE // count)
    for start in range(0, count, step):
        left_out = np.arange(start, min(start + step, count))
        boards = np.repeat(table[None], len(left_out), axis=0)
        boards[np.arange(len(left_out)), left_out] = np.nan
        places = standings([boards[..., n] for n in range(table.shape[1])], ranking).places
        places += places >= own[left_out][:, None]
        places[np.arange(len(left_out)), left_out] = own[left_out]
        low, high = np.minimum(low, places.min(axis=0)), np.maximum(high, places.max(axis=0))
    return low, high


def majority(ranked: Sequence[RankedRow]) -> list[Majority]:
    """Return the order by pairwise majority: one beats another where it is ahead on more metrics.

    Order: wins minus losses, then mean rank, then the board's order.
    """
    ranks = np.array([list(row.ranks.values()) for row in ranked])
    margins = [
        (ranks > own).sum(axis=1) - (ranks < own).sum(axis=1) for own in ranks
    ]  # metrics on which the entry is ahead, less those on which it is behind
    copeland = [int(np.sign(margin).sum()) for margin in margins]
    order = sorted(range(len(ranked)), key=lambda n: (-copeland[n], ranked[n].mean_rank, n))
    return [Majority(copeland[n], place) for n, place in enumerate(_inverse(order))]


def fair_view(by_source: Sequence[BySource | None]) -> list[float | None]:
    """Return each entry's mean over metrics of its mean over sources of a normalised value.

    r = 1 / (1 + exp(-(x - p50) / IQR)) over the entries that have a value of that metric and
    source (the paper's normalisation), 0.5 where the IQR is 0. None for entries without values by
    source.
    """
    cells: dict[tuple[str, str], dict[int, float]] = {}
    for n, entry in enumerate(by_source):
        for metric, sources in (entry or {}).items():
            for source, value in sources.items():
                if value is not None:
                    cells.setdefault((metric, source), {})[n] = value
    metrics: list[dict[str, list[float]]] = [{} for _ in by_source]
    for (metric, _), values in cells.items():
        for n, share in zip(values, _normalised(list(values.values())), strict=True):
            metrics[n].setdefault(metric, []).append(share)
    return [
        _mean([_mean(shares) for shares in found.values()]) if found else None for found in metrics
    ]


def _normalised(values: Sequence[float]) -> list[float]:
    spread = percentiles(values)
    return [spread.normalised(value) for value in values]


def weighted_mean_ranks(ranked: Sequence[HasRanks], weights: Mapping[str, float]) -> list[float]:
    """Return mean ranks by a reader's weights; metrics that are not named weigh 1.

    Raises ValueError for a weight of no metric, one that is not finite or negative, and where all
    are 0.
    """
    unknown = sorted(set(weights) - set(METRIC_KEYS))
    if unknown:
        raise ValueError(f"{unknown[0]} is no metric")
    wrong = [key for key, weight in weights.items() if not (0 <= weight < math.inf)]
    if wrong:
        raise ValueError(f"the weight of {wrong[0]} is not a finite number of at least 0")
    heaviest = max(weights.get(key, 1.0) for key in METRIC_KEYS)
    if heaviest == 0:
        raise ValueError("all weights are 0")
    all_weights = {key: weights.get(key, 1.0) / heaviest for key in METRIC_KEYS}
    total = math.fsum(all_weights.values())
    return [
        math.fsum(rank * all_weights[key] for key, rank in row.ranks.items()) / total
        for row in ranked
    ]


def places(mean_ranks: Sequence[float]) -> list[int]:
    """Return the places by mean ranks given in the board's order, which decides ties."""
    return _inverse(sorted(range(len(mean_ranks)), key=lambda n: (mean_ranks[n], n)))


def _inverse(order: Sequence[int]) -> list[int]:
    """Return the place, from 1, of each number in an order of all of them."""
    found = [0] * len(order)
    for place, n in enumerate(order, 1):
        found[n] = place
    return found


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
