"""Named integer scores, shared by CVS and SA: share of exact scores, by component, by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medvid.benchmark.results import MetricScore, SourceScore, mean, present


@dataclass(frozen=True, slots=True)
class Comparison:
    """One record: the true scores and the predicted ones, as compat and as strict read them.

    A predicted score that is out of range is not in `strict`, so it is wrong there.
    """

    source: str
    true: Mapping[str, int]
    compat: Mapping[str, int]
    strict: Mapping[str, int]

    @property
    def answered(self) -> bool:
        """Whether the prediction names at least one component of the truth."""
        return any(name in self.compat for name in self.true)


def accuracy(comparisons: Sequence[Comparison]) -> MetricScore:
    """Return the mean over sources of the mean over components of correct / present.

    Compat leaves out absent components, so a missing prediction is not counted at all; a source
    where nothing is present counts 0. Strict counts absent components wrong.
    """
    groups: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(comparison.source, []).append(comparison)
    by_source = {source: _source_score(group) for source, group in sorted(groups.items())}
    scores = by_source.values()
    return MetricScore(
        compat=mean(present(score.compat for score in scores)),
        strict=mean(present(score.strict for score in scores)),
        answered=sum(score.answered for score in scores),
        expected=sum(score.expected for score in scores),
        by_source=by_source,
    )


def _source_score(comparisons: Sequence[Comparison]) -> SourceScore:
    compat: dict[str, list[bool]] = {}
    strict: dict[str, list[bool]] = {}
    for comparison in comparisons:
        for name, score in comparison.true.items():
            strict.setdefault(name, []).append(comparison.strict.get(name) == score)
            if name in comparison.compat:
                compat.setdefault(name, []).append(comparison.compat[name] == score)
    return SourceScore(
        # A source of which nothing is present has no mean, and counts 0.
        compat=mean(sum(correct) / len(correct) for correct in compat.values()) or 0.0,
        strict=mean(sum(correct) / len(correct) for correct in strict.values()),
        answered=sum(comparison.answered for comparison in comparisons),
        expected=sum(bool(comparison.true) for comparison in comparisons),
    )
