"""The ranking rule of a board (SPEC 4): pure, the same answer for any order of the rows.

Values are rounded first: to four decimals, as the published evaluator prints them, and then to
three, as the boards keep them, each time with Python's `round` (correctly rounded decimal of the
exact double, ties to even). Two values that look equal tie.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.tasks import METRIC_KEYS, Ranking

BOARD_DECIMALS: Final = 3


Row = Mapping[str, str | float | None]
"""One entry: `model_name` and the metric keys; a metric left out or None is missing. Other keys
are ignored."""


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One entry's place. `rank` runs 1, 2, 3, … without gaps; `ranks` holds the place by metric.

    `index` is the row's place in the input, so that a caller can join what else it knows.
    """

    model_name: str
    rank: int
    mean_rank: float
    first_places: int
    rank_sum: int
    relative_sum: float
    ranks: dict[str, int]
    values: dict[str, float | None]
    index: int


def rank(
    rows: Iterable[Row],
    ranking: Ranking = "competition",
    metrics: Sequence[str] = METRIC_KEYS,
) -> tuple[list[RankedRow], list[int]]:
    """Rank the entries of one board, best first; and apart, by name, the indexes of the unranked.

    An entry without any value is not ranked and takes part in no column's ranks.

    Order: mean rank over the metrics, lower first; number of metrics ranked 1; sum of ranks; sum
    of value / column maximum; model name by code point. Missing values rank below all. Names are
    expected to be unique; equal ones keep their input order. Raises ValueError for a value that is
    not finite.
    """
    entries = list(rows)
    names = [str(entry["model_name"]) for entry in entries]
    values = [[_rounded(row, metric) for metric in metrics] for row in entries]
    empty = [all(value is None for value in line) for line in values]
    unranked = sorted((i for i, none in enumerate(empty) if none), key=lambda i: names[i])
    ranked = [i for i, none in enumerate(empty) if not none]
    return _ranked(ranked, names, values, ranking, metrics), unranked


def _ranked(
    indexes: Sequence[int],
    names: Sequence[str],
    values: Sequence[Sequence[float | None]],
    ranking: Ranking,
    metrics: Sequence[str],
) -> list[RankedRow]:
    """Rank the entries at these indexes, each of which has a value."""
    if not indexes:
        return []
    table = np.array(
        [[math.nan if value is None else value for value in values[i]] for i in indexes], np.float64
    )
    ranks = np.empty(table.shape, np.int64)
    relative_sums = np.zeros(len(indexes))
    for column in range(len(metrics)):  # left to right: float sums depend on the order
        ranks[:, column] = _column_ranks(table[:, column], ranking)
        relative_sums += _relative(table[:, column])
    rank_sums = ranks.sum(axis=1)
    firsts = (ranks == 1).sum(axis=1)
    # The mean rank orders exactly as the sum of ranks does, the number of metrics being the same
    # for all; the sum is an integer and so cannot round. The rule's third step never decides.
    order = sorted(
        range(len(indexes)),
        key=lambda n: (rank_sums[n], -firsts[n], -relative_sums[n], names[indexes[n]]),
    )
    return [
        RankedRow(
            model_name=names[indexes[n]],
            rank=place,
            mean_rank=float(rank_sums[n]) / len(metrics),
            first_places=int(firsts[n]),
            rank_sum=int(rank_sums[n]),
            relative_sum=float(relative_sums[n]),
            ranks=dict(zip(metrics, ranks[n].tolist(), strict=True)),
            values=dict(zip(metrics, values[indexes[n]], strict=True)),
            index=indexes[n],
        )
        for place, n in enumerate(order, 1)
    ]


def _rounded(row: Row, metric: str) -> float | None:
    value = row.get(metric)
    if value is None:
        return None
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{metric} of {row['model_name']!r} is not a finite number")
    return rounded(rounded(value), BOARD_DECIMALS)


def _column_ranks(column: NDArray[np.float64], ranking: Ranking) -> NDArray[np.int64]:
    """Return 1 + the number of higher values; NaN (missing) ranks below all values.

    Dense ranks count equal ones among the higher values once.
    """
    present = column[~np.isnan(column)]
    counted = np.sort(present) if ranking == "competition" else np.unique(present)
    higher = len(counted) - np.searchsorted(counted, column, side="right")
    return np.where(np.isnan(column), len(counted), higher).astype(np.int64) + 1


def _relative(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return value / column maximum; 0 where missing, or where the maximum is not positive."""
    filled = np.nan_to_num(column, nan=-np.inf)
    maximum = float(filled.max())
    if maximum <= 0:
        return np.zeros(len(column))
    return np.where(np.isnan(column), 0.0, column / maximum)
