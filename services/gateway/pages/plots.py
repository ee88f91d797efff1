"""Where the lines of a plot of several models run. Coordinates for SVG, one decimal, y downwards.

Every axis runs from the smallest possible value of its metric to the best value on the board, so
that metrics of different size can stand side by side and the outermost point is always the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from medvid.benchmark.tasks import METRICS

Values = Mapping[str, float | None]
Intervals = Mapping[str, tuple[float, float]]
"""The ends of a model's intervals, by metric; those of some may be missing."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the drawing; `label` is the value that stands there."""

    x: float
    y: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """A metric's axis: its line from the worst to the best value, and where its name stands."""

    key: str
    label: str
    worst: float
    best: float
    start: Point
    end: Point
    name: Point
    anchor: str


@dataclass(frozen=True, slots=True)
class Line:
    """A model's line: points where it has values, and SVG path data that breaks where not.

    `whiskers` is path data, too: along each axis from one end of the value's interval to the other.
    `whole`: no value is missing, so that a closed line has an inside.
    """

    points: tuple[Point, ...]
    path: str
    whiskers: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Bands:
    """Where most models of a board lie: areas of 90 % and of 50 % of them, and their median."""

    most: str
    half: str
    median: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing. `rings` are further lines that help the eye."""

    width: float
    height: float
    axes: tuple[Axis, ...]
    lines: tuple[Line, ...]
    rings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scale:
    worst: float
    best: float

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies, 0-1."""
        span = self.best - self.worst
        return min(1.0, max(0.0, (value - self.worst) / span)) if span > 0 else 0.0


_Placer = Callable[[int, float], Point]
_RADAR_WIDTH: Final = 500.0
_RADAR_HEIGHT: Final = 390.0
_RADAR_RADIUS: Final = 155.0
_RINGS: Final = (0.25, 0.5, 0.75, 1.0)
_PARALLEL_WIDTH: Final = 800.0
_PARALLEL_HEIGHT: Final = 430.0
_PARALLEL_SIDE: Final = 40.0
_PARALLEL_TOP: Final = 68.0
_PARALLEL_BOTTOM: Final = 28.0
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_LINES: Final = 60
"""Models that can be drawn one by one behind the chosen ones; more are drawn as bands."""


def radar(
    chosen: Sequence[Values], board: Sequence[Values], intervals: Sequence[Intervals] = ()
) -> Plot:
    """Draw the chosen models as closed lines around a centre, one direction for each metric."""
    scales = _scales(board)
    middle_x, middle_y = _RADAR_WIDTH / 2, _RADAR_HEIGHT / 2
    turn = 2 * math.pi / len(METRICS)

    def at(index: int, radius: float) -> Point:
        angle = index * turn - math.pi / 2
        return Point(
            round(middle_x + radius * math.cos(angle), 1),
            round(middle_y + radius * math.sin(angle), 1),
        )

    def place(index: int, share: float) -> Point:
        return at(index, _RADAR_RADIUS * share)

    def named(index: int) -> tuple[Point, str]:
        return at(index, _RADAR_RADIUS + 20), _anchor(math.cos(index * turn - math.pi / 2))

    rings = tuple(
        _path([place(index, share) for index in range(len(METRICS))], closed=True)
        for share in _RINGS
    )
    lines = tuple(
        _line(values, scales, place, ends, closed=True)
        for values, ends in zip(chosen, _for_each(chosen, intervals), strict=True)
    )
    axes = _axes(scales, place, named)
    return Plot(_RADAR_WIDTH, _RADAR_HEIGHT, axes, lines, rings=rings)


def parallel(
    chosen: Sequence[Values], board: Sequence[Values], intervals: Sequence[Intervals] = ()
) -> Plot:
    """Draw the chosen models, one upright axis for each metric; `courses` go beneath."""
    scales = _scales(board)
    lines = tuple(
        _line(values, scales, _upright, ends)
        for values, ends in zip(chosen, _for_each(chosen, intervals), strict=True)
    )
    axes = _axes(scales, _upright, lambda index: (Point(_upright(index, 1).x, 20.0), "middle"))
    return Plot(_PARALLEL_WIDTH, _PARALLEL_HEIGHT, axes, lines)


def courses(board: Sequence[Values]) -> list[Line]:
    """Return the line of every model of a board, as `parallel` places them."""
    scales = _scales(board)
    return [_line(values, scales, _upright) for values in board]


def bands(board: Sequence[Values]) -> Bands:
    """Return where a board's models lie, as `parallel` places them: of many, lines are a mat.

    Each axis has the quantiles of the models that have its value; one without any leaves a gap.
    """
    scales = _scales(board)
    found: list[list[Point] | None] = []
    for index, metric in enumerate(METRICS):
        known = sorted(value for row in board if (value := row.get(metric.key)) is not None)
        found.append(
            [_upright(index, scales[metric.key].share(_quantile(known, q))) for q in _QUANTILES]
            if known
            else None
        )
    return Bands(
        most=_area(found, 0, 4),
        half=_area(found, 1, 3),
        median=_broken([each[2] if each else None for each in found]),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of numbers in order, between two of them linearly."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _area(axes: Sequence[Sequence[Point] | None], low: int, high: int) -> str:
    """Return the areas between two quantiles, one for each run of axes that have any."""
    parts, run = [], list[Sequence[Point]]()
    for points in [*axes, None]:
        if points:
            run.append(points)
        elif run:
            around = [each[high] for each in run] + [each[low] for each in reversed(run)]
            parts.append(_path(around, closed=True))
            run = []
    return "".join(parts)


def _upright(index: int, share: float) -> Point:
    step = (_PARALLEL_WIDTH - 2 * _PARALLEL_SIDE) / (len(METRICS) - 1)
    height = _PARALLEL_HEIGHT - _PARALLEL_TOP - _PARALLEL_BOTTOM
    return Point(
        round(_PARALLEL_SIDE + index * step, 1),
        round(_PARALLEL_TOP + height * (1 - share), 1),
    )


def _scales(board: Sequence[Values]) -> dict[str, _Scale]:
    scales = {}
    for metric in METRICS:
        known = [value for row in board if (value := row.get(metric.key)) is not None]
        scales[metric.key] = _Scale(metric.minimum, max(known, default=metric.maximum))
    return scales


def _axes(
    scales: Mapping[str, _Scale], place: _Placer, named: Callable[[int], tuple[Point, str]]
) -> tuple[Axis, ...]:
    """Return an axis for each metric; `named` says where its name stands, and its anchor."""
    return tuple(
        Axis(
            metric.key,
            metric.label,
            scales[metric.key].worst,
            scales[metric.key].best,
            place(index, 0),
            place(index, 1),
            *named(index),
        )
        for index, metric in enumerate(METRICS)
    )


def _for_each(chosen: Sequence[Values], intervals: Sequence[Intervals]) -> Sequence[Intervals]:
    """Return intervals for each model: those given, or none."""
    return intervals or [{} for _ in chosen]


def _line(
    values: Values,
    scales: Mapping[str, _Scale],
    place: _Placer,
    ends: Intervals = MappingProxyType({}),
    *,
    closed: bool = False,
) -> Line:
    """Return a model's line; where a value is missing it has a gap."""
    points: list[Point | None] = []
    for index, metric in enumerate(METRICS):
        value = values.get(metric.key)
        if value is None:
            points.append(None)
            continue
        spot = place(index, scales[metric.key].share(value))
        points.append(Point(spot.x, spot.y, f"{metric.label} {value:.3f}"))
    whiskers = " ".join(
        _path([place(index, scales[metric.key].share(end)) for end in ends[metric.key]])
        for index, metric in enumerate(METRICS)
        if metric.key in ends
    )
    known = [point for point in points if point is not None]
    if len(known) == len(points):
        return Line(tuple(known), _path(known, closed=closed), whiskers)
    path = _broken([*points, points[0]] if closed else points)
    return Line(tuple(known), path, whiskers, whole=False)


def _path(points: Sequence[Point], *, closed: bool = False) -> str:
    drawn = " ".join(f"{'L' if index else 'M'}{p.x:g} {p.y:g}" for index, p in enumerate(points))
    return f"{drawn}Z" if closed and points else drawn


def _broken(points: Sequence[Point | None]) -> str:
    parts, down = [], False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if down else 'M'}{point.x:g} {point.y:g}")
        down = point is not None
    return " ".join(parts)


def _anchor(side: float) -> str:
    if abs(side) < 0.2:
        return "middle"
    return "start" if side > 0 else "end"
