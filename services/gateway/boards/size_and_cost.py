"""What scores cost, read off a board: models by a stated fact, and the Pareto front. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from medvid.models.boards import Leaderboard, LeaderboardEntry
from medvid.models.figures import (
    MEAN_RANK,
    SCORES,
    SIZE_FACTS,
    SizeAndCost,
    SizedModel,
    SizeFact,
    UnsizedModel,
)
from medvid.spreadsheets import table
from services.gateway.boards.models import intervals_of
from services.gateway.boards.over_time import ranking_value, state_of

_CSV_COLUMNS: Final = ("model_name", "organization", "low", "high", "on_front", "entry_id")


def known_score(name: str) -> str:
    """Return a score by its name; raises ValueError for an unknown one."""
    if name not in SCORES:
        raise ValueError(f"one of {', '.join(SCORES)}")
    return name


def known_fact(name: str) -> SizeFact:
    """Return a fact by its name; raises ValueError unless it is one of which less is better."""
    for fact in SIZE_FACTS:
        if fact == name:
            return fact
    raise ValueError(f"one of {', '.join(SIZE_FACTS)}")


@dataclass(frozen=True, slots=True)
class _Sized:
    entry: LeaderboardEntry
    fact: float
    score: float
    worth: float
    """The score, negative where lower is better."""


def size_and_cost(board: Leaderboard, fact: SizeFact, score: str) -> SizeAndCost:
    """Return a board's entries by a fact and a score: a metric, or their mean rank."""
    sign = -1 if score == MEAN_RANK else 1
    known, unknown = [], []
    for entry in board.entries:
        value = entry.mean_rank if score == MEAN_RANK else ranking_value(entry, score)
        if value is None:
            continue
        stated = getattr(entry.facts, fact, None)
        if stated is None:
            unknown.append((entry, value))
        else:
            known.append(_Sized(entry, stated, value, sign * value))
    known.sort(key=lambda each: (each.fact, -each.worth))  # equal ones stay in the board's order
    front = {each.entry.entry_id for each in _front(known)}
    return SizeAndCost(
        **state_of(board),
        fact=fact,
        score=score,
        better="lower" if score == MEAN_RANK else "higher",
        models=[_model(each, score, on_front=each.entry.entry_id in front) for each in known],
        unknown=[
            UnsizedModel(
                entry_id=entry.entry_id,
                model_name=entry.model_name,
                organization=entry.organization,
                score=value,
            )
            for entry, value in unknown
        ],
        without_score=len(board.entries) - len(known) - len(unknown),
    )


def _front(by_fact: Sequence[_Sized]) -> Iterator[_Sized]:
    """Yield those that are better than all that are smaller; equals are on the front together."""
    best: float | None = None
    for _, group in groupby(by_fact, key=lambda each: (each.fact, each.worth)):
        equals = list(group)
        if best is None or equals[0].worth > best:
            best = equals[0].worth
            yield from equals


def _model(each: _Sized, score: str, *, on_front: bool) -> SizedModel:
    low, high = intervals_of(each.entry).get(score, (None, None))
    return SizedModel(
        entry_id=each.entry.entry_id,
        model_name=each.entry.model_name,
        organization=each.entry.organization,
        fact=each.fact,
        score=each.score,
        low=low,
        high=high,
        on_front=on_front,
    )


def size_and_cost_csv(found: SizeAndCost) -> str:
    """Return all entries with the score, one a line; the fact is empty where it is unknown."""
    rows: list[list[object]] = [
        [
            f"{each.fact:.12g}", each.score, each.model_name, each.organization, each.low,
            each.high, str(each.on_front).lower(), str(each.entry_id),
        ]
        for each in found.models
    ]  # fmt: skip
    rows += [
        [None, each.score, each.model_name, each.organization, None, None, None, str(each.entry_id)]
        for each in found.unknown
    ]
    return table((found.fact, found.score, *_CSV_COLUMNS), rows)
