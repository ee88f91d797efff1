"""The picture of the page about reading intervals: invented models, drawn by the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_WIDTH: Final = 480
_ROW: Final = 44
_TOP: Final = 28
_FOOT: Final = 36
_LEFT: Final = 92
_RIGHT: Final = 380
_LOWEST: Final = 0.45
_HIGHEST: Final = 0.8
_TICKS: Final = (0.5, 0.6, 0.7, 0.8)
_HALF: Final = 1.96
"""Standard errors from a value to each end of its 95 % interval."""


@dataclass(frozen=True, slots=True)
class PicturedModel:
    """An invented model: its value with its standard error, and what follows for its rank."""

    name: str
    value: float
    error: float
    rank: int
    rank_low: int
    rank_high: int
    may_be_best: bool

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval."""
        return self.value - _HALF * self.error

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.value + _HALF * self.error

    @property
    def y(self) -> int:
        """The middle of its row, in the picture's pixels."""
        return _TOP + _ROW * self.rank - _ROW // 2


MODELS: Final = (
    PicturedModel("Model A", 0.72, 0.02, 1, 1, 2, may_be_best=True),
    PicturedModel("Model B", 0.68, 0.02, 2, 1, 4, may_be_best=True),
    PicturedModel("Model C", 0.66, 0.02, 3, 2, 4, may_be_best=False),
    PicturedModel("Model D", 0.65, 0.02, 4, 2, 4, may_be_best=False),
    PicturedModel("Model E", 0.52, 0.02, 5, 5, 5, may_be_best=False),
)
"""A test draws their values anew: ranks lie in these ranges, and the marked may be the best."""


def picture() -> dict[str, object]:
    """Return what the page's template draws."""
    return {
        "models": MODELS,
        "ticks": [(tick, _x_of(tick)) for tick in _TICKS],
        "x_of": _x_of,
        "top": _TOP,
        "width": _WIDTH,
        "height": _TOP + _ROW * len(MODELS) + _FOOT,
    }


def _x_of(value: float) -> float:
    """Return where a value is, in the picture's pixels."""
    return round(_LEFT + (_RIGHT - _LEFT) * (value - _LOWEST) / (_HIGHEST - _LOWEST), 1)
