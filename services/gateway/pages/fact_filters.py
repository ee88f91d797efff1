"""What a board's page offers to narrow it by the facts of its models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from medvid.benchmark.tasks import SOURCES
from medvid.models.boards import Leaderboard, LeaderboardEntry
from medvid.models.fact_texts import shown_count
from medvid.models.facts import FactFilters
from services.gateway.boards.models import narrowed
from services.gateway.boards.narrowing import Narrowing
from services.gateway.pages.board_view import View

_SIZES: Final = (1e9, 3e9, 8e9, 15e9, 35e9, 80e9, 250e9)
Choices = list[tuple[str, str]]
"""What may be chosen, as an address has it and as people read it."""


def fact_choices(entries: Iterable[LeaderboardEntry], asked: FactFilters) -> dict[str, Choices]:
    """Return what there is to choose by filter, also what an address alone asks for."""
    licences = {entry.facts.licence for entry in entries if entry.facts and entry.facts.licence}
    licences |= {asked.licence} if asked.licence else set()
    sources = {*SOURCES, *([asked.trained_on_source] if asked.trained_on_source else ())}
    return {
        "licence": [(each, each) for each in sorted(licences)],
        "trained_on_source": [(each, each) for each in sorted(sources)],
        "min_params": _sizes(asked.min_params),
        "max_params": _sizes(asked.max_params),
    }


def _sizes(asked: float | None) -> Choices:
    sizes = sorted({*_SIZES, *([asked] if asked else ())})
    return [
        (FactFilters(min_params=each).texts()["min_params"], shown_count(each)) for each in sizes
    ]


def states_facts(board: Leaderboard) -> bool:
    """Return whether anything is stated of a model of the board."""
    return any(entry.facts for entry in board.entries)


def ranked_anew(board: Leaderboard, view: View) -> Leaderboard:
    """Return the entries that a view's track and filters leave, ranked among themselves."""
    entries = [entry for entry in board.entries if not view.track or entry.track == view.track]
    found = narrowed(entries, board.ranking, Narrowing(view.filters, rerank=True))
    return board.model_copy(update={"entries": found})
