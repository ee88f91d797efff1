"""Rank statistics against ranking every replicate alone; rounding against Python's."""

# ruff: noqa: S311 - random boards, the same in every run

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.ranking import BOARD_DECIMALS, Row, on_board, rank
from medvid.benchmark.statistics.bootstrap import REPLICATES
from medvid.benchmark.statistics.ranks import RankStatistics, rank_statistics
from medvid.benchmark.tasks import METRIC_KEYS, RANKINGS, Ranking
from tests.depth import deep

Drawn = Mapping[str, np.ndarray[tuple[int], np.dtype[np.float64]]]


def board(seed: int) -> tuple[list[Row], dict[int, Drawn]]:
    """Ties, halves, missing and undefined values, negative ones, entries without replicates."""
    dice = random.Random(seed)
    rows: list[Row] = []
    replicates: dict[int, Drawn] = {}
    for index in range(dice.choice([1, 2, 5, 9])):
        row: dict[str, str | float | None] = {"model_name": dice.choice("abc") + str(index)}
        drawn: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
        for metric in METRIC_KEYS:
            if dice.random() < 0.2:
                continue
            low = dice.choice([-20, 70, 90])
            row[metric] = dice.randrange(low, 160) / 160
            if dice.random() < 0.8:
                values = [
                    math.nan if dice.random() < 0.1 else dice.randrange(low, 160) / 160
                    for _ in range(REPLICATES)
                ]
                drawn[metric] = np.array(values)
        rows.append(row)
        if dice.random() < 0.7:
            replicates[index] = drawn
    return rows, replicates


def by_definition(
    rows: Sequence[Row], replicates: Mapping[int, Drawn], ranking: Ranking
) -> list[RankStatistics]:
    ranked, _ = rank(rows, ranking)
    places: dict[str, list[int]] = {row.model_name: [] for row in ranked}
    for b in range(REPLICATES):
        drawn: list[Row] = []
        for row in ranked:
            own = {
                key: float(values[b])
                for key, values in replicates.get(row.index, {}).items()
                if row.values[key] is not None
            }
            kept: dict[str, float | None] = {**rows[row.index]}  # type: ignore[dict-item]
            kept |= {key: None if math.isnan(value) else value for key, value in own.items()}
            drawn.append(kept)
        again, without = rank(drawn, ranking)
        names = [row.model_name for row in again]
        names += [str(drawn[index]["model_name"]) for index in without]
        for place, name in enumerate(names, 1):
            places[name].append(place)
    firsts = Counter({name: found.count(1) for name, found in places.items()})
    best: list[str] = []
    for name in sorted(places, key=lambda name: -firsts[name]):  # stable: by rank within
        if sum(firsts[each] for each in best) < 950:
            best.append(name)
    # Linear positions 24.975 and 974.025 of the sorted places: the lower, and the higher.
    return [
        RankStatistics(
            sorted(found)[24], sorted(found)[975], firsts[name] / REPLICATES, name in best
        )
        for name, found in places.items()
    ]


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=deep) for seed in (1, 2, 3))])
def test_the_statistics_are_those_of_boards_ranked_one_by_one(seed: int, ranking: Ranking) -> None:
    rows, replicates = board(seed)
    ranked, _ = rank(rows, ranking)
    assert rank_statistics(ranked, replicates, ranking) == by_definition(rows, replicates, ranking)


def test_a_board_of_many_entries_is_ranked_in_parts_alike() -> None:
    dice = np.random.default_rng(1)
    rows: list[Row] = [{"model_name": f"m{n:04}", "cvs_acc": 0.5} for n in range(300)]
    values = dice.random((300, REPLICATES))
    found = rank_statistics(rank(rows)[0], {n: {"cvs_acc": each} for n, each in enumerate(values)})
    firsts = Counter(on_board(values).argmax(axis=0).tolist())
    assert [each.first_share for each in found] == [firsts[n] / REPLICATES for n in range(300)]


def test_a_board_without_replicates_is_certain_and_an_empty_one_has_none() -> None:
    rows: list[Row] = [{"model_name": "a", "cvs_acc": 0.2}, {"model_name": "b", "cvs_acc": 0.3}]
    assert rank_statistics(rank(rows)[0], {}) == [
        RankStatistics(1, 1, 1.0, may_be_best=True),
        RankStatistics(2, 2, 0.0, may_be_best=False),
    ]
    assert rank_statistics([], {}) == []


HALVES = st.builds(lambda n, d: n / d, st.integers(-1000, 1000), st.sampled_from([160, 960, 2000]))


@given(st.lists(st.none() | HALVES | st.floats(-5, 5) | st.floats(allow_nan=False,
       allow_infinity=False), min_size=1))  # fmt: skip
@example([1e300, -1e300, 0.00005, 0.5968749999999999, 0.596875, -0.00001, 2**53 / 1e4])
def test_boards_round_as_python_does(values: list[float | None]) -> None:
    found = on_board(np.array([math.nan if value is None else value for value in values]))
    wanted = [rounded(rounded(value), BOARD_DECIMALS) for value in values]
    assert [None if math.isnan(value) else value for value in found.tolist()] == wanted
