"""Named integer scores, shared by CVS and SA: share of exact scores, by component, by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.results import ByScoring
from medvid.benchmark.sums import (
    Array,
    Contributions,
    Formula,
    Sums,
    Values,
    mean_of_defined,
    ratio,
    side_by_side,
)


@dataclass(frozen=True, slots=True)
class ComparedScores:
    """One record: the true scores and the predicted ones, as compat and as strict read them.

    A predicted score that is out of range is not in `strict`, so it is wrong there.
    """

    sample: Sample
    true: Mapping[str, int]
    compat: Mapping[str, int]
    strict: Mapping[str, int]

    @property
    def answered(self) -> bool:
        """Whether the prediction names at least one component of the truth."""
        return any(name in self.compat for name in self.true)

    @property
    def expected(self) -> bool:
        """Whether the truth has a component."""
        return bool(self.true)


def accuracy(comparisons: Sequence[ComparedScores]) -> ByScoring:
    """Return the contributions to the mean over sources of the mean over components.

    A component's value is correct / present. Compat leaves out absent components, so a missing
    prediction is not counted at all; a source where nothing is present counts 0. Strict counts
    absent components wrong.
    """
    names = sorted({name for comparison in comparisons for name in comparison.true})
    compat = [
        [
            (name in each.compat and each.compat[name] == each.true[name], name in each.compat)
            if name in each.true
            else (False, False)
            for name in names
        ]
        for each in comparisons
    ]
    strict = [
        [
            (name in each.true and each.strict.get(name) == each.true[name], name in each.true)
            for name in names
        ]
        for each in comparisons
    ]
    return {
        "compat": _contributions(comparisons, compat, len(names), _compat),
        "strict": _contributions(comparisons, strict, len(names), _strict),
    }


def _contributions(
    comparisons: Sequence[ComparedScores],
    components: Sequence[Sequence[tuple[bool, bool]]],
    count: int,
    formula: Formula,
) -> Contributions:
    """Return rows of 1, then whether each component is correct, then whether it is present."""
    rows = (
        (each.sample.index, each.sample.source, (1, *(c for c, _ in found), *(p for _, p in found)))
        for each, found in zip(comparisons, components, strict=True)
    )
    return Contributions.of(rows, 1 + 2 * count, formula, counted=slice(1 + count, None))


def _strict(sums: Sums) -> Values:
    return _over_sources(
        sums, {source: _mean_over_components(found) for source, found in sums.by_source.items()}
    )


def _compat(sums: Sums) -> Values:
    """Return the values where a source of which nothing is present counts 0."""
    by_source: dict[str, Array] = {}
    for source, found in sums.by_source.items():
        value = _mean_over_components(found)
        by_source[source] = np.where(np.isnan(value) & (found[:, 0] > 0), 0.0, value)
    return _over_sources(sums, by_source)


def _over_sources(sums: Sums, by_source: Mapping[str, Array]) -> Values:
    return Values(mean_of_defined(side_by_side(by_source, len(sums.whole))), by_source)


def _mean_over_components(sums: Array) -> Array:
    count = sums.shape[1] // 2
    return mean_of_defined(ratio(sums[:, 1 : 1 + count], sums[:, 1 + count :]))
