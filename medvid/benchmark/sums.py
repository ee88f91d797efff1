"""A metric as sums over records, and the formula that makes a value of them.

A metric module says what each record adds to the sums (`Contributions`) and how a value follows
from them (`Formula`). The value itself counts each record once; a replicate of the bootstrap
counts it as often as its video was drawn (`medvid.benchmark.statistics`). Both go through one
formula, so they cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """A metric's sums, arrays of draws by columns: over all records, and within each source."""

    whole: Array
    by_source: Mapping[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A metric's values, one a draw: over the whole test set and by source; NaN is undefined."""

    whole: Array
    by_source: Mapping[str, Array]


Formula: TypeAlias = Callable[[Sums], Values]
Row: TypeAlias = Sequence[float]


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What each record of a metric's task adds to its sums.

    `rows` are records by columns; `samples` holds the index of each row's sample, `sources` its
    source. A record that is left out of the formula adds zeros, so that its source is known.
    `counted` are the columns that make a record one that the value rests on.
    """

    samples: NDArray[np.int64]
    sources: Sequence[str]
    rows: Array
    formula: Formula
    counted: slice

    @classmethod
    def of(
        cls, rows: Iterable[tuple[int, str, Row]], width: int, formula: Formula, counted: slice
    ) -> Contributions:
        """Return contributions from one (sample index, source, columns) a record."""
        listed = list(rows)
        return cls(
            np.array([sample for sample, _, _ in listed], np.int64),
            [source for _, source, _ in listed],
            np.array([row for _, _, row in listed], np.float64).reshape(len(listed), width),
            formula,
            counted,
        )

    def rows_by_source(self) -> dict[str, NDArray[np.int64]]:
        """Return the numbers of the rows of each source, sources in order of name."""
        groups: dict[str, list[int]] = {}
        for number, source in enumerate(self.sources):
            groups.setdefault(source, []).append(number)
        return {source: np.array(numbers) for source, numbers in sorted(groups.items())}

    def sums(self) -> Sums:
        """Return the sums that count each record once, as one draw."""
        return Sums(
            _exact(self.rows),
            {source: _exact(self.rows[found]) for source, found in self.rows_by_source().items()},
        )

    def value(self) -> tuple[float | None, dict[str, float | None]]:
        """Return the metric's value and those of its sources; None is undefined."""
        values = self.formula(self.sums())
        by_source = {source: _or_none(found) for source, found in values.by_source.items()}
        return _or_none(values.whole), by_source


def _exact(rows: Array) -> Array:
    """Return correctly rounded column sums, which do not depend on the order of the records."""
    return np.array([[math.fsum(column) for column in rows.T.tolist()]])


def _or_none(values: Array) -> float | None:
    value = float(values[0])
    return None if math.isnan(value) else value


# The arithmetic of formulas, over the last axis.


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return numerator / denominator; NaN where the denominator is 0."""
    undefined = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=undefined, where=denominator != 0)
    return undefined


def total(terms: Array) -> Array:
    """Return the sum of a few terms, as if it were exact and rounded once (Neumaier's summation).

    A skill score is a multiple of 1/960: a last bit decides how it is rounded to four decimals.
    """
    result, lost = np.zeros(terms.shape[:-1]), np.zeros(terms.shape[:-1])
    for term in np.moveaxis(terms, -1, 0):
        longer = result + term
        lost += np.where(
            np.abs(result) >= np.abs(term), (result - longer) + term, (term - longer) + result
        )
        result = longer
    return result + lost


def mean_of_defined(terms: Array) -> Array:
    """Return the mean of the terms that are not NaN; NaN where there is none."""
    defined = ~np.isnan(terms)
    return ratio(total(np.where(defined, terms, 0.0)), defined.sum(axis=-1).astype(np.float64))


def weighted_mean(values: Array, weights: Array) -> Array:
    """Return the mean by weights, in which undefined values count 0; NaN where no weight is."""
    return ratio(total(np.nan_to_num(values, nan=0.0) * weights), total(weights))


def side_by_side(by_source: Mapping[str, Array], draws: int) -> Array:
    """Return values by source as draws by sources."""
    return np.stack([*by_source.values()], axis=-1) if by_source else np.empty((draws, 0))


def mean_of_records(sums: Sums) -> Values:
    """Return the mean over records: columns are the value and 1, or zeros for one left out."""
    return Values(
        _mean_of_records(sums.whole),
        {source: _mean_of_records(found) for source, found in sums.by_source.items()},
    )


def _mean_of_records(sums: Array) -> Array:
    return ratio(sums[:, 0], sums[:, 1])
