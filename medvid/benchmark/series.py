"""Judge series of a board (SPEC 4): which judged values it ranks, and which it only shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, get_args

from medvid.benchmark.tasks import PUBLISHED

Treatment = Literal["ranked", "missing"]
"""What becomes of a value that is not of the board's series: it is always shown with a mark."""
NotRanked = Literal["other_judge", "published"]
"""Why a value that is shown counts as missing in the ranks."""
TREATMENTS: Final[tuple[Treatment, ...]] = get_args(Treatment)


@dataclass(frozen=True, slots=True)
class SeriesRule:
    """A board's series, a judge version, and how it treats values that are not of it.

    `current` is None on a board without values of a recorded judge: it ranks all there are.
    """

    current: str | None = None
    other_judges: Treatment = "missing"
    published: Treatment = "ranked"

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """Return the rule as snapshots have it; without one, as before, all values are ranked."""
        return cls() if stored is None else cls(**stored)

    def stored(self) -> dict[str, str | None]:
        """Return the rule as snapshots have it."""
        return {
            "current": self.current,
            "other_judges": self.other_judges,
            "published": self.published,
        }

    def mark(self, series: str | None) -> NotRanked | None:
        """Return what marks a value of this series; None for the board's own, or no value."""
        if series == PUBLISHED:
            return "published"
        if series is None or self.current is None or series == self.current:
            return None
        return "other_judge"

    def not_ranked(self, series: Mapping[str, str | None]) -> dict[str, NotRanked]:
        """Return the metrics that count as missing, and why, by the series of their values."""
        treated = {"other_judge": self.other_judges, "published": self.published}
        marks = {metric: self.mark(own) for metric, own in series.items()}
        return {
            metric: mark
            for metric, mark in marks.items()
            if mark is not None and treated[mark] == "missing"
        }


RANKS_ALL: Final = SeriesRule()
"""The rule of boards without any judged value, and of snapshots of the version before."""


def ranked_values(
    values: Mapping[str, float | None], not_ranked: Iterable[str]
) -> dict[str, float | None]:
    """Return values as they rank: those that are only shown are missing."""
    return {**values, **dict.fromkeys(not_ranked)}


def adopted(series: Iterable[str | None], service: str | None) -> str | None:
    """Return the series of a board that has none: that of most of its values, given one by one.

    Of several with as many the one that the service judges by now (`service`), else the first by
    its hash. None without a value of a recorded judge.
    """
    counted = Counter(each for each in series if each is not None and each != PUBLISHED)
    order = sorted(counted, key=lambda each: (-counted[each], each != service, each))
    return order[0] if order else None
