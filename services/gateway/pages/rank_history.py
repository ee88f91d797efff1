"""An entry's rank over time, drawn as steps: coordinates for SVG, the best rank on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

_X = Callable[[datetime], float]
_Y = Callable[[int], float]
_WIDTH: Final = 640.0
_HEIGHT: Final = 170.0
_LEFT: Final = 40.0
_RIGHT: Final = 16.0
_TOP: Final = 16.0
_BOTTOM: Final = 30.0
_MOST_TICKS: Final = 4


class Span(Protocol):
    """A rank for as long as it lasted; `until` None: it lasts."""

    @property
    def rank(self) -> int: ...  # noqa: D102 - its name says it
    @property
    def since(self) -> datetime: ...  # noqa: D102
    @property
    def until(self) -> datetime | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Tick:
    """A rank on the upright axis."""

    y: float
    rank: int


@dataclass(frozen=True, slots=True)
class RankHistory:
    """The drawing: a line of steps, the spots where the rank changed, the axis, first and last."""

    width: float
    height: float
    path: str
    changes: tuple[tuple[float, float, int], ...]
    ticks: tuple[Tick, ...]
    begins: datetime
    ends: datetime
    left: float
    right: float
    breaks: tuple[tuple[float, str], ...] = ()


def draw(
    spans: Sequence[Span], now: datetime, breaks: Sequence[tuple[datetime, str]] = ()
) -> RankHistory | None:
    """Draw spans, the newest first; None where there are none.

    Where an entry was off the board, the line has a gap. `breaks` are moments with what is said of
    them, across which ranks do not compare.
    """
    if not spans:
        return None
    ordered = sorted(spans, key=lambda span: span.since)
    begins, ends = ordered[0].since, max(now, ordered[-1].since)
    length = max((ends - begins).total_seconds(), 1.0)
    worst = max(max(span.rank for span in ordered), 2)

    def x(moment: datetime) -> float:
        share = (moment - begins).total_seconds() / length
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(rank: int) -> float:
        share = (rank - 1) / (worst - 1)
        return round(_TOP + share * (_HEIGHT - _TOP - _BOTTOM), 1)

    return RankHistory(
        width=_WIDTH,
        height=_HEIGHT,
        path=_steps(ordered, ends, x, y),
        changes=tuple((x(span.since), y(span.rank), span.rank) for span in ordered),
        ticks=tuple(Tick(y(rank), rank) for rank in _ticks(worst)),
        begins=begins,
        ends=ends,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        breaks=tuple((x(at), title) for at, title in breaks if begins <= at <= ends),
    )


def _steps(ordered: Sequence[Span], ends: datetime, x: _X, y: _Y) -> str:
    parts: list[str] = []
    before: datetime | None = None
    for span in ordered:
        until = span.until or ends
        joined = before == span.since
        start = f"V{y(span.rank):g}" if joined else f"M{x(span.since):g} {y(span.rank):g}"
        parts.append(f"{start}H{x(until):g}")
        before = span.until
    return "".join(parts)


def _ticks(worst: int) -> list[int]:
    step = max(1, -(-(worst - 1) // _MOST_TICKS))
    return list(range(1, worst + 1, step))
