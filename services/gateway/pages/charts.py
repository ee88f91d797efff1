"""Charts of values by day, and by size or cost: coordinates for SVG, one decimal, y downwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_WIDTH: Final = 420.0
_HEIGHT: Final = 210.0
_WIDE: Final = 860.0
_TALL: Final = 430.0
_LEFT: Final = 46.0
_RIGHT: Final = 14.0
_TOP: Final = 14.0
_BOTTOM: Final = 30.0
_LABEL: Final = 190.0
"""As long as a name may be."""
_LINE: Final = 14.0
_MOST_TICKS: Final = 5
_ALMOST: Final = 1 + 1e-9
_MONTHS_APART: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240)
_LEAST_SPAN: Final = 0.01
_NICE_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A place on an axis, and what is written there."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class DatedValue:
    """A value with the day from which on it counts, and the ends of its interval."""

    on: date
    value: float
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class StepChart:
    """A line that goes up in steps; `spots` are the steps, `whiskers` their intervals."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    path: str
    spots: tuple[tuple[float, float], ...]
    whiskers: str
    values: tuple[AxisTick, ...]
    days: tuple[AxisTick, ...]


def step_chart(steps: Sequence[DatedValue], begins: date, ends: date) -> StepChart:
    """Draw values that last from their day until the next one's, in order; there is at least one.

    Charts from and to the same days can be held against each other.
    """
    known = [each.value for each in steps]
    known += [end for each in steps for end in each.ends or ()]
    ticks = nice_ticks(min(known), max(known))
    y = scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    days = scale(0, max((ends - begins).days, 1), _LEFT, _WIDTH - _RIGHT)

    def x(day: date) -> float:
        return days((day - begins).days)

    spots = tuple((x(each.on), y(each.value)) for each in steps)
    return StepChart(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        bottom=_HEIGHT - _BOTTOM,
        path=_stairs(spots, _WIDTH - _RIGHT),
        spots=spots,
        whiskers="".join(
            f"M{x(each.on):g} {y(each.ends[0]):g}V{y(each.ends[1]):g}"
            for each in steps
            if each.ends is not None
        ),
        values=tuple(AxisTick(y(tick), f"{tick:g}") for tick in ticks),
        days=tuple(AxisTick(x(day), label) for day, label in day_ticks(begins, ends)),
    )


@dataclass(frozen=True, slots=True)
class Sized:
    """A score and what it costs, from 0 on; `on_front`: nothing cheaper is as good."""

    cost: float
    score: float
    on_front: bool = False
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """Scores by what they cost, better ones higher up; costs are on a logarithmic axis.

    `spots` are in the order of what was given; `front` goes through the ones on the front, which
    have `whiskers`. `labels` name some of them: by place among the given, x, y and anchor.
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    spots: tuple[tuple[float, float], ...]
    front: str
    whiskers: str
    labels: tuple[tuple[int, float, float, str], ...]
    scores: tuple[AxisTick, ...]
    costs: tuple[AxisTick, ...]


def scatter_chart(
    given: Sequence[Sized], *, lower_is_better: bool, cost_label: Callable[[float], str]
) -> ScatterChart:
    """Draw what is given, of which there is some, the cheapest first."""
    known = [each.score for each in given]
    known += [end for each in given if each.on_front for end in each.ends or ()]
    ticks = nice_ticks(min(known), max(known))
    right, bottom = _WIDE - _RIGHT, _TALL - _BOTTOM
    worst, best = (ticks[-1], ticks[0]) if lower_is_better else (ticks[0], ticks[-1])
    y = scale(worst, best, bottom, _TOP)
    marks, nothing = cost_ticks([each.cost for each in given])
    logs = scale(math.log(marks[0]), math.log(marks[-1]), _LEFT, right)

    def x(cost: float) -> float:
        return logs(math.log(cost or nothing))

    spots = tuple((x(each.cost), y(each.score)) for each in given)
    front = [spot for spot, each in zip(spots, given, strict=True) if each.on_front]
    return ScatterChart(
        width=_WIDE,
        height=_TALL,
        left=_LEFT,
        right=right,
        top=_TOP,
        bottom=bottom,
        spots=spots,
        front=_stairs(front, right),
        whiskers="".join(
            f"M{x(each.cost):g} {y(each.ends[0]):g}V{y(each.ends[1]):g}"
            for each in given
            if each.on_front and each.ends is not None
        ),
        labels=_labels(spots, [each.on_front for each in given]),
        scores=tuple(AxisTick(y(tick), f"{tick:g}") for tick in ticks),
        costs=tuple(
            AxisTick(x(mark), cost_label(0.0 if mark == nothing else mark)) for mark in marks
        ),
    )


def cost_ticks(costs: Sequence[float]) -> tuple[list[float], float]:
    """Return round numbers for a logarithmic axis, and which of them stands for 0, or 0.

    They begin at or below the smallest cost above 0, and end at or above the largest.
    """
    above = [cost for cost in costs if cost > 0] or [1.0]
    low, high = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
    marks = [each * 10.0**power for power in range(low, high + 1) for each in (1, 2, 5)]
    first = max((mark for mark in marks if mark <= min(above) * _ALMOST), default=marks[0])
    last = min((mark for mark in marks if mark * _ALMOST >= max(above)), default=marks[-1])
    if first == last:
        first, last = first / 2, last * 2
        marks = [first, *marks, last]
    marks = [mark for mark in marks if first <= mark <= last]
    if len(marks) > _MOST_TICKS + 2:
        apart = -(-(high - low) // (_MOST_TICKS + 2))
        powers = (10.0**power for power in range(low, high + 1, apart))
        marks = [first, *(mark for mark in powers if 2 * first < mark < last / 2), last]
    nothing = marks[0] / 4 if min(costs, default=1) <= 0 else 0.0
    return [*([nothing] if nothing else []), *dict.fromkeys(marks)], nothing


def _labels(
    spots: Sequence[tuple[float, float]], on_front: Sequence[bool]
) -> tuple[tuple[int, float, float, str], ...]:
    """Return where names go: above and left of a spot, where nothing is; none over another."""
    found: list[tuple[int, float, float, str]] = []
    for place, (across, down) in enumerate(spots):
        if on_front[place] and all(abs(down - 7 - each[2]) >= _LINE for each in found):
            anchor = "start" if across < _LABEL else "end"
            shift = 0 if anchor == "start" else -7
            found.append((place, across + shift, round(down - 7, 1), anchor))
    return tuple(found)


def _stairs(spots: Sequence[tuple[float, float]], right: float) -> str:
    """Return a line through spots from left to right that goes on until the right."""
    turns = [f"M{spots[0][0]:g} {spots[0][1]:g}"]
    turns += [f"H{across:g}V{up:g}" for across, up in spots[1:]]
    return "".join([*turns, f"H{right:g}"])


def scale(first: float, last: float, begin: float, end: float) -> Callable[[float], float]:
    """Return what places a number of one range in the other, to one decimal."""

    def place(number: float) -> float:
        share = (number - first) / (last - first) if last != first else 0.5
        return round(begin + share * (end - begin), 1)

    return place


def nice_ticks(low: float, high: float) -> list[float]:
    """Return a few round numbers at equal distances, from `low` or below to `high` or above.

    Of numbers from 0 on that hardly differ, they show the surroundings, too.
    """
    if high - low < _LEAST_SPAN:
        around = max(_LEAST_SPAN, 0.05 * abs(high))
        low, high = max(0.0, low - around), high + around
    rough = (high - low) / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in _NICE_STEPS if nice * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def day_ticks(begins: date, ends: date) -> list[tuple[date, str]]:
    """Return the beginnings of some months between two days; without two of them, these days."""
    for apart in _MONTHS_APART:
        months = _months(begins, ends, apart)
        if len(months) <= _MOST_TICKS:
            break
    if len(months) >= 2:
        return [(month, f"{month:%Y-%m}") for month in months]
    return [(day, day.isoformat()) for day in dict.fromkeys((begins, ends))]


def _months(begins: date, ends: date, apart: int) -> list[date]:
    """Return the first days of every `apart` months, counted from January."""
    first = begins if begins.day == 1 else (begins.replace(day=1) + timedelta(days=32))
    found = []
    number = first.year * 12 + first.month - 1
    number += -number % apart
    while (month := date(number // 12, number % 12 + 1, 1)) <= ends:
        found.append(month)
        number += apart
    return found
