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

from medvid.benchmark.disclosure import DECIMALS, rounded
from medvid.benchmark.tasks import METRIC_KEYS, Ranking

BOARD_DECIMALS: Final = 3
_NEAR_A_HALF: Final = 1e-9
"""Units of the last decimal kept; far above the error of scaling by a power of ten."""

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

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


@dataclass(frozen=True, slots=True, eq=False)
class Standings:
    """Entries ranked in each of several draws of their values; arrays are draws by entries.

    `ranks` has one array a metric.
    """

    ranks: Sequence[Counts]
    rank_sums: Counts
    firsts: Counts
    relative_sums: Array
    places: Counts


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
    numbers = [[_number(row, metric) for metric in metrics] for row in entries]
    table = on_board(np.array(numbers, np.float64).reshape(len(entries), len(metrics)))
    empty = np.logical_and.reduce(np.isnan(table), axis=1)
    by_name = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    unranked = by_name[empty[by_name]]
    ranked = by_name[~empty[by_name]]
    return _ranked(ranked.tolist(), names, table[ranked], ranking, metrics), unranked.tolist()


def _ranked(
    indexes: Sequence[int],
    names: Sequence[str],
    table: Array,
    ranking: Ranking,
    metrics: Sequence[str],
) -> list[RankedRow]:
    """Return the rows of the entries at these indexes, which are in order of name."""
    found = standings([column[None, :] for column in table.T], ranking)
    ranks = np.stack([column[0] for column in found.ranks], axis=1).tolist() if len(table) else []
    values = table.tolist()
    return [
        RankedRow(
            model_name=names[indexes[n]],
            rank=place,
            mean_rank=float(found.rank_sums[0, n]) / len(metrics),
            first_places=int(found.firsts[0, n]),
            rank_sum=int(found.rank_sums[0, n]),
            relative_sum=float(found.relative_sums[0, n]),
            ranks=dict(zip(metrics, ranks[n], strict=True)),
            values={
                key: None if math.isnan(value) else value
                for key, value in zip(metrics, values[n], strict=True)
            },
            index=indexes[n],
        )
        for place, n in enumerate(found.places[0].argsort().tolist(), 1)
    ]


def _number(row: Row, metric: str) -> float:
    """Return a value, NaN where it is missing."""
    value = row.get(metric)
    if value is None:
        return math.nan
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{metric} of {row['model_name']!r} is not a finite number")
    return float(value)


def on_board(values: Array) -> Array:
    """Return values as the board rounds them, each time as Python's `round` does; NaN stays."""
    return _rounded(_rounded(values, DECIMALS), BOARD_DECIMALS)


def _rounded(values: Array, decimals: int) -> Array:
    """Return what `disclosure.rounded` gives, without its cost for each.

    `numpy.round` scales first, so it misjudges halves; those near one are rounded again. A scaled
    value beyond 1e9 counts as near: there the scaling itself is too coarse.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a value beyond all scaling is near a half
        scaled = values * 10.0**decimals
        result = np.round(values, decimals) + 0.0
        from_half = np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5)
    far = from_half > _NEAR_A_HALF * np.maximum(1.0, np.abs(scaled))
    near = ~far & ~np.isnan(values)
    distinct, places = np.unique(values[near], return_inverse=True)
    result[near] = np.array([rounded(value, decimals) for value in distinct.tolist()])[places]
    return result


def standings(columns: Sequence[Array], ranking: Ranking = "competition") -> Standings:
    """Rank entries in each draw, by one array a metric, draws by entries, NaN for missing.

    Values are rounded already. The entries stand in order of name, which decides last. One that
    has no value in a draw comes out below those that have any.
    """
    shape = columns[0].shape
    rank_sums = np.zeros(shape, np.int64)
    firsts = np.zeros(shape, np.int64)
    relative_sums = np.zeros(shape)
    ranks = []
    for column in columns:  # left to right: float sums depend on the order
        ranks.append(_column_ranks(column, ranking))
        rank_sums += ranks[-1]
        firsts += ranks[-1] == 1
        relative_sums += _relative(column)
    # The mean rank orders exactly as the sum of ranks does, the number of metrics being the same
    # for all; the sum is an integer and so cannot round. The rule's third step never decides.
    order = np.lexsort((-relative_sums, rank_sums * (len(columns) + 1) - firsts), axis=-1)
    places = np.empty(shape, np.int64)
    np.put_along_axis(places, order, np.arange(1, shape[-1] + 1), axis=-1)
    return Standings(ranks, rank_sums, firsts, relative_sums, places)


def _column_ranks(column: Array, ranking: Ranking) -> Counts:
    """Return 1 + the number of higher values; NaN (missing) ranks below all values.

    Dense ranks count equal ones among the higher values once.
    """
    keys = np.where(np.isnan(column), np.inf, -column)
    order = keys.argsort(axis=-1)
    ordered = np.take_along_axis(keys, order, axis=-1)
    is_lower = np.zeros(column.shape, np.int64)
    is_lower[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    higher = (
        np.maximum.accumulate(is_lower * np.arange(column.shape[-1]), axis=-1)
        if ranking == "competition"
        else is_lower.cumsum(axis=-1)
    )
    ranks = np.empty(column.shape, np.int64)
    np.put_along_axis(ranks, order, higher + 1, axis=-1)
    return ranks


def _relative(column: Array) -> Array:
    """Return value / column maximum; 0 where missing, or where the maximum is not positive."""
    present = ~np.isnan(column)
    maximum = np.where(present, column, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    shares = np.zeros(column.shape)
    np.divide(column, maximum, out=shares, where=present & (maximum > 0))
    return shares
