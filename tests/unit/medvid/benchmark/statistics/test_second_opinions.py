"""Second opinions against a plain reading of SPEC 7."""

# ruff: noqa: S311 - random boards, the same in every run

from __future__ import annotations

import math
import random
import statistics

import pytest

from medvid.benchmark.ranking import Row, rank
from medvid.benchmark.statistics.second_opinions import (
    Majority,
    fair_view,
    majority,
    places,
    sensitivity,
    weighted_mean_ranks,
)
from medvid.benchmark.tasks import METRIC_KEYS


def board(seed: int) -> list[Row]:
    dice = random.Random(seed)
    rows: list[Row] = []
    for n in range(dice.choice([1, 2, 4, 12])):
        values = {
            key: dice.randrange(8) / 8 for key in METRIC_KEYS if dice.random() < dice.random()
        }
        rows.append({"model_name": f"{dice.choice('abc')}{n}", **values})
    return rows


def order(rows: list[Row], metrics: tuple[str, ...] = METRIC_KEYS) -> list[str]:
    ranked, unranked = rank(rows, metrics=metrics)
    return [row.model_name for row in ranked] + [str(rows[n]["model_name"]) for n in unranked]


@pytest.mark.parametrize("seed", range(12))
def test_places_over_boards_with_one_left_out(seed: int) -> None:
    rows = board(seed)
    ranked, _ = rank(rows)
    rows = [rows[row.index] for row in ranked]
    today = [row.model_name for row in ranked]
    seen = {name: [today.index(name) + 1] for name in today}
    for left_out in today:
        others = order([row for row in rows if row["model_name"] != left_out])
        others.insert(today.index(left_out), left_out)
        for place, name in enumerate(others, 1):
            seen[name].append(place)
    by_metric = {name: [today.index(name) + 1] for name in today}
    for metric in METRIC_KEYS:
        rest = tuple(key for key in METRIC_KEYS if key != metric)
        for place, name in enumerate(order(rows, rest), 1):
            by_metric[name].append(place)
    for name, found in zip(today, sensitivity(ranked), strict=True):
        assert found.one_entry_out == (min(seen[name]), max(seen[name]))
        assert found.one_metric_out == (min(by_metric[name]), max(by_metric[name]))


@pytest.mark.parametrize("seed", range(12))
def test_majority_counts_wins_and_losses(seed: int) -> None:
    ranked, _ = rank(board(seed))
    expected = []
    for one in ranked:
        score = 0
        for other in ranked:
            ahead = sum(one.ranks[key] < other.ranks[key] for key in METRIC_KEYS)
            behind = sum(one.ranks[key] > other.ranks[key] for key in METRIC_KEYS)
            score += (ahead > behind) - (ahead < behind)
        expected.append(score)
    by_rule = sorted(
        range(len(ranked)), key=lambda n: (-expected[n], ranked[n].mean_rank, ranked[n].rank)
    )
    assert majority(ranked) == [
        Majority(score, by_rule.index(n) + 1) for n, score in enumerate(expected)
    ]


def test_the_fair_view_normalises_within_each_source() -> None:
    entries = [
        {"nap_acc": {"AVOS": 0.2, "NurViD": 0.1}, "sa_acc": {"JIGSAWS": 0.4}},
        None,
        {"nap_acc": {"AVOS": 0.4, "NurViD": None}, "sa_acc": {"JIGSAWS": 0.4}},
        {"nap_acc": {"AVOS": 0.9, "NurViD": 0.7}, "sa_acc": {}},
        {"nap_acc": {"AVOS": None}},
    ]
    low, middle, high = statistics.quantiles([0.2, 0.4, 0.9], n=4, method="inclusive")
    avos = [1 / (1 + math.exp(-(x - middle) / (high - low))) for x in (0.2, 0.4, 0.9)]
    edge = 1 / (1 + math.exp(-0.3 / 0.3))  # of two values, 0.3 from the middle, IQR 0.3
    assert fair_view(entries) == [
        pytest.approx(((avos[0] + 1 - edge) / 2 + 0.5) / 2),
        None,
        pytest.approx((avos[1] + 0.5) / 2),
        pytest.approx((avos[2] + edge) / 2),
        None,
    ]


def test_an_outlier_far_below_does_not_overflow() -> None:
    values = [-1e6, *(n * 1e-9 for n in range(20))]
    found = fair_view([{"dvc_f1": {"AVOS": value}} for value in values])
    assert found[0] == 0.0


def test_a_readers_weights_order_the_board() -> None:
    rows: list[Row] = [
        {"model_name": "a", "cvs_acc": 0.9, "nap_acc": 0.1},
        {"model_name": "b", "cvs_acc": 0.1, "nap_acc": 0.9},
    ]
    ranked, _ = rank(rows)
    only_actions = {key: float(key == "nap_acc") for key in METRIC_KEYS}
    assert weighted_mean_ranks(ranked, only_actions) == [2.0, 1.0]
    assert places(weighted_mean_ranks(ranked, only_actions)) == [2, 1]
    even = weighted_mean_ranks(ranked, {"cvs_acc": 2, "nap_acc": 2})
    assert even == [pytest.approx(14 / 12), pytest.approx(14 / 12)]
    assert places(even) == [1, 2]  # ties by the board's order
    assert weighted_mean_ranks(ranked, dict.fromkeys(METRIC_KEYS, 1e308)) == [1.1, 1.1]


@pytest.mark.parametrize(
    "weights",
    [
        {"unknown": 1.0},
        {"cvs_acc": -1.0},
        {"cvs_acc": math.inf},
        {"cvs_acc": math.nan},
        dict.fromkeys(METRIC_KEYS, 0.0),
    ],
)
def test_weights_that_are_none_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"weight|metric"):
        weighted_mean_ranks([], weights)


def test_an_empty_board_has_no_opinions() -> None:
    assert (sensitivity([]), majority([]), fair_view([])) == ([], [], [])
    assert weighted_mean_ranks([], {}) == []
