"""Models side by side: who was asked for, and how their values differ from the first one's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from uuid import UUID

from medvid.benchmark.tasks import METRICS

MAX_MODELS: Final = 6
"""As many lines as can still be told apart."""
_FIRST_CHOICE: Final = 3


class Compared(Protocol):
    """What is compared of an entry."""

    @property
    def entry_id(self) -> UUID: ...  # noqa: D102 - an entry's own words
    @property
    def rank(self) -> int | None: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, float | None]: ...  # noqa: D102
    @property
    def withheld(self) -> Mapping[str, object]: ...  # noqa: D102
    @property
    def series(self) -> Mapping[str, str | None]: ...  # noqa: D102


R = TypeVar("R", bound=Compared)


@dataclass(frozen=True, slots=True)
class Cell:
    """A model's value and how much it is above the first model's; None where one is missing.

    `withheld`: it is not shown, being of too few answers. `ends` are those of its interval.
    """

    value: float | None
    difference: float | None
    best: bool
    withheld: bool = False
    series: str | None = None
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """A line of the comparison."""

    key: str
    cells: tuple[Cell, ...]


def asked_models(values: Iterable[str]) -> list[str]:
    """Return the ids that an address names, each once: `models=a,b` or `models=a&models=b`."""
    return list(dict.fromkeys(part for value in values for part in value.split(",") if part))


def choose(entries: Sequence[R], asked: Sequence[str]) -> list[R]:
    """Return the entries that were asked for, in that order; by default the best ranked."""
    if not asked:
        return [entry for entry in entries[:_FIRST_CHOICE] if entry.rank is not None]
    by_id = {str(entry.entry_id): entry for entry in entries}
    return [by_id[each] for each in asked if each in by_id][:MAX_MODELS]


def compare(
    chosen: Sequence[Compared], intervals: Sequence[Mapping[str, tuple[float, float]]] = ()
) -> list[ComparedMetric]:
    """Return every metric with the chosen models' values, and their intervals as far as given."""
    known = intervals or [{} for _ in chosen]
    return [
        ComparedMetric(
            metric.key,
            _cells(
                [entry.values.get(metric.key) for entry in chosen],
                [metric.key in entry.withheld for entry in chosen],
                [entry.series.get(metric.key) for entry in chosen],
                [ends.get(metric.key) for ends in known],
            ),
        )
        for metric in METRICS
    ]


def _cells(
    values: Sequence[float | None],
    withheld: Sequence[bool],
    series: Sequence[str | None],
    ends: Sequence[tuple[float, float] | None],
) -> tuple[Cell, ...]:
    """Return a line; of values of different judges none is the best, or differs from another."""
    judges = {each for each in series if each is not None}
    best = max((value for value in values if value is not None), default=None)
    best = best if len(judges) <= 1 else None
    first = values[0] if values else None
    return tuple(
        Cell(
            value,
            # Of the values as they are shown, so that the reader's own subtraction agrees.
            round(value - first, 3)
            if index and value is not None and first is not None and series[index] == series[0]
            else None,
            best=value is not None and value == best and len(values) > 1,
            withheld=withheld[index],
            series=series[index] if len(judges) > 1 else None,
            ends=None if value is None else ends[index],
        )
        for index, value in enumerate(values)
    )
