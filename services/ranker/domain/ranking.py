"""The ranking rule of a board (SPEC 4): pure, the same answer for any order of the rows.

Values are rounded to three decimals first, with Python's `round` (correctly rounded decimal of the
exact double, ties to even), as the published boards print them; two values that look equal tie.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.benchmark.tasks import METRIC_KEYS

DECIMALS: Final = 3


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


def rank(rows: Iterable[Row], metrics: Sequence[str] = METRIC_KEYS) -> list[RankedRow]:
    """Rank the entries of one board, best first.

    Order: mean rank over the metrics, lower first; number of metrics ranked 1; sum of ranks; sum
    of value / column maximum; model name by code point. Missing values rank below all. Names are
    expected to be unique; equal ones keep their input order. Raises ValueError for a value that is
    not finite.
    """
    entries = list(rows)
    if not entries:
        return []
    names = [str(entry["model_name"]) for entry in entries]
    values = [[_rounded(row, metric) for metric in metrics] for row in entries]
    table = np.array(
        [[math.nan if value is None else value for value in line] for line in values], np.float64
    ).reshape(len(entries), len(metrics))
    ranks = np.empty(table.shape, np.int64)
    relative_sums = np.zeros(len(entries))
    for column in range(len(metrics)):  # left to right: float sums depend on the order
        ranks[:, column] = _competition_ranks(table[:, column])
        relative_sums += _relative(table[:, column])
    rank_sums = ranks.sum(axis=1)
    firsts = (ranks == 1).sum(axis=1)
    # The mean rank orders exactly as the sum of ranks does, the number of metrics being the same
    # for all; the sum is an integer and so cannot round. The rule's third step never decides.
    order = sorted(
        range(len(entries)),
        key=lambda i: (rank_sums[i], -firsts[i], -relative_sums[i], names[i]),
    )
    return [
        RankedRow(
            model_name=names[i],
            rank=place,
            mean_rank=float(rank_sums[i]) / max(len(metrics), 1),
            first_places=int(firsts[i]),
            rank_sum=int(rank_sums[i]),
            relative_sum=float(relative_sums[i]),
            ranks=dict(zip(metrics, ranks[i].tolist(), strict=True)),
            values=dict(zip(metrics, values[i], strict=True)),
            index=i,
        )
        for place, i in enumerate(order, 1)
    ]


def _rounded(row: Row, metric: str) -> float | None:
    value = row.get(metric)
    if value is None:
        return None
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{metric} of {row['model_name']!r} is not a finite number")
    return round(float(value), DECIMALS) + 0.0  # + 0.0: minus zero prints as zero


def _competition_ranks(column: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 1 + the number of higher values; NaN (missing) ranks below all values."""
    present = np.sort(column[~np.isnan(column)])
    higher = len(present) - np.searchsorted(present, column, side="right")
    return np.where(np.isnan(column), len(present), higher).astype(np.int64) + 1


def _relative(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return value / column maximum; 0 where missing, or where the maximum is not positive."""
    filled = np.nan_to_num(column, nan=-np.inf)
    maximum = float(filled.max())
    if maximum <= 0:
        return np.zeros(len(column))
    return np.where(np.isnan(column), 0.0, column / maximum)
