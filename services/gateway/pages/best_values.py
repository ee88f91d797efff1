"""The best and the second best value of a column, as a reader marks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from medvid.benchmark.tasks import METRIC_KEYS

Mark = Literal["best", "second"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The two highest different values of a column; None where there is none."""

    best: float | None
    second: float | None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Standing:
        """Find them; equal values share a mark, and a column with one value has only a best."""
        ordered = sorted({value for value in values if value is not None}, reverse=True)
        return cls(*[*ordered, None, None][:2])

    def mark(self, value: float | None) -> Mark | None:
        """Return a value's mark."""
        if value is None:
            return None
        if value == self.best:
            return "best"
        return "second" if value == self.second else None


class Valued(Protocol):
    """Something with a value for each metric."""

    @property
    def values(self) -> Mapping[str, float | None]: ...  # noqa: D102 - its name says it


def standings(rows: Sequence[Valued]) -> dict[str, Standing]:
    """Return the standing of every metric's column."""
    return {key: Standing.of(row.values.get(key) for row in rows) for key in METRIC_KEYS}
