"""The page "How firm is this order?": each entry's places by the board's rule and by others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Board, Scoring
from medvid.models.boards import COLUMNS
from medvid.models.second_opinions import SecondOpinion, SecondOpinions
from services.gateway.pages.rendering import Pages
from services.gateway.web.urls import url

_WIDTH: Final = 220.0
_MARGIN: Final = 8.0
_LINES: Final = {"drawn": 8.0, "entry": 18.0, "metric": 28.0}
"""Heights of the three ranges in an entry's picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where an entry's ranges and places lie, in SVG coordinates; a range of one place is a dot."""

    own: float
    ranges: Mapping[str, tuple[float, float, float]]
    """By name: from, to, height."""
    majority: float
    fair: float | None
    weighted: float | None


def picture(each: SecondOpinion, entries: int) -> Picture:
    """Return the drawing of an entry's ranges among `entries` places."""

    def at(place: int) -> float:
        share = (place - 1) / (entries - 1) if entries > 1 else 0.5
        return round(_MARGIN + share * (_WIDTH - 2 * _MARGIN), 1)

    ends = {"entry": each.one_entry_out, "metric": each.one_metric_out}
    if each.statistics is not None:
        ends["drawn"] = (each.statistics.rank_low, each.statistics.rank_high)
    return Picture(
        own=at(each.rank),
        ranges={
            name: (at(ends[name][0]), at(ends[name][1]), height)
            for name, height in _LINES.items()
            if name in ends
        },
        majority=at(each.majority_place),
        fair=None if each.fair_place is None else at(each.fair_place),
        weighted=None if each.weighted_place is None else at(each.weighted_place),
    )


def weights_of(asked: Mapping[str, str]) -> str | None:
    """Return the weights that a form's fields name, as the address has them; None without any.

    A field that is empty or 1 is left out.
    """
    named = {key: asked[key].strip() for key in METRIC_KEYS if asked.get(key, "").strip()}
    if not named:
        return None
    return ",".join(f"{key}:{text}" for key, text in named.items() if text != "1")


def opinions_url(board: Board, scoring: Scoring, weights: str | None = None) -> str:
    """Return where the page is."""
    query: dict[str, object] = {} if scoring == "compat" else {"scoring": scoring}
    return url(
        "second_opinions", board=board, query=query | ({"weights": weights} if weights else {})
    )


def render_opinions(pages: Pages, found: SecondOpinions, board: Board, scoring: Scoring) -> str:
    """Return the page."""
    weights = found.weights or dict.fromkeys(METRIC_KEYS, 1.0)
    text = ",".join(f"{key}:{weight:g}" for key, weight in weights.items() if weight != 1)
    query = {"scoring": scoring} | ({"weights": text} if text else {})
    address = url("api_second_opinions", board=board, query=query)
    return pages.render(
        "second_opinions.html",
        found=found,
        board=board,
        scoring=scoring,
        columns=COLUMNS,
        weights=weights,
        pictures=[picture(each, len(found.entries)) for each in found.entries],
        judged_by_panels=any(each.one_judge_out for each in found.entries),
        moved=sum(each.one_entry_out[0] != each.one_entry_out[1] for each in found.entries),
        switches=[(each, opinions_url(board, each, text)) for each in SCORINGS],
        json_url=address,
        csv_url=f"{address}&format=csv",
    )
