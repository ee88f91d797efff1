"""Differences of two entries, and what is told of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.comparisons import (
    Difference,
    Score,
    compare,
    holm,
    in_words,
    minimum_detectable,
)

DICE = np.random.default_rng(7)
ONE, OTHER = DICE.normal(0.6, 0.02, 1000), DICE.normal(0.5, 0.03, 1000)


def score(value: float, replicates: Sequence[float], clusters: int = 50) -> Score:
    return Score(value, Estimate(np.array(replicates), clusters))


def test_a_difference_has_the_error_and_interval_of_its_paired_replicates() -> None:
    found = compare({"m": score(0.6, ONE)}, {"m": score(0.5, OTHER)})["m"]
    paired = [one - other for one, other in zip(ONE, OTHER, strict=True)]
    quantiles = statistics.quantiles(paired, n=40, method="inclusive")
    assert found.se == pytest.approx(statistics.stdev(paired))
    assert (found.low, found.high) == (pytest.approx(quantiles[0]), pytest.approx(quantiles[-1]))
    assert found.p == found.p_holm == pytest.approx(math.erfc(0.1 / found.se / math.sqrt(2)))
    assert found.few_videos is False
    assert found.is_beyond_chance


def test_few_videos_decide_nothing() -> None:
    found = compare({"m": score(0.9, ONE, 14)}, {"m": score(0.1, OTHER)})["m"]
    assert found.p is not None
    assert found.p < 1e-9
    assert found.few_videos
    assert not found.is_beyond_chance


def test_without_replicates_or_errors_the_difference_stands_alone() -> None:
    one = {"a": Score(0.5, None), "b": score(0.5, [0.5] * 1000), "c": score(0.5, ONE)}
    undefined = [math.nan] * 51 + [0.4] * 949
    other = {"a": score(0.25, OTHER), "b": score(0.25, [0.25] * 1000), "c": score(0.25, undefined)}
    found = compare(one, other | {"d": score(0.1, ONE)})
    assert list(found) == ["a", "b", "c"]
    assert found["a"] == Difference(0.25)
    assert found["b"] == Difference(0.25, 0.0, 0.25, 0.25, few_videos=False)
    assert found["c"] == Difference(0.25, few_videos=False)
    assert not any(each.is_beyond_chance for each in found.values())


@given(st.dictionaries(st.text(max_size=2), st.floats(0, 1)))
def test_holm_rejects_what_its_definition_rejects(p_values: dict[str, float]) -> None:
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.5):
        rejected = set()
        for n, key in enumerate(sorted(p_values, key=lambda key: p_values[key])):
            if p_values[key] * (len(p_values) - n) > level:
                break
            rejected.add(key)
        assert {key for key, p in adjusted.items() if p <= level} == rejected


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ({"a": 0.01, "b": 0.04, "c": 0.03}, {"a": 0.03, "b": 0.06, "c": 0.06}),
        ({"a": 0.03, "b": 0.04, "c": 0.01}, {"a": 0.06, "b": 0.06, "c": 0.03}),
        ({"a": 0.02, "b": 0.02}, {"a": 0.04, "b": 0.04}),  # ties are adjusted alike
        ({"a": 0.9, "b": 0.8}, {"a": 1.0, "b": 1.0}),
        ({"a": 0.05}, {"a": 0.05}),
        ({}, {}),
    ],
)
def test_holm_by_hand(p_values: dict[str, float], adjusted: dict[str, float]) -> None:
    found = holm(p_values)
    assert {key: round(p, 12) for key, p in found.items()} == adjusted


def test_at_the_border_itself_nothing_is_decided() -> None:
    border = Difference(0.1, 0.05, 0.0, 0.2, 0.05, 0.05, few_videos=False)
    below = replace(border, p_holm=math.nextafter(0.05, 0.0))
    assert (border.decision, below.decision) == ("within chance", "beyond chance")
    assert replace(below, few_videos=True).decision == "few videos: not decided"


def test_a_metric_that_one_entry_lacks_is_neither_compared_nor_counted() -> None:
    """Holm's number is that of the metrics with a p: fewer of them make each p smaller."""
    whole = {key: score(0.6, ONE) for key in "abc"}
    other = {key: score(0.5, OTHER) for key in "abc"}
    both, some = compare(whole, other), compare(whole, {"a": other["a"], "b": Score(0.5, None)})
    assert list(some) == ["a", "b"]
    assert (some["b"].p, some["b"].decision) == (None, "not decided")
    p = both["a"].p
    assert p is not None
    assert (both["a"].p_holm, some["a"].p_holm) == (min(1.0, 3 * p), p)


def test_entries_that_are_equal_in_all_have_no_difference_and_no_p() -> None:
    one = {key: score(0.6, ONE) for key in "abc"}
    found = compare(one, one)
    assert {(each.difference, each.se, each.p, each.p_holm) for each in found.values()} == {
        (0.0, 0.0, None, None)
    }
    assert {each.decision for each in found.values()} == {"equal"}
    assert in_words("A", "B", found) == "A and B are equal on 3 metrics."
    noisy = compare({"m": score(0.6, ONE)}, {"m": score(0.6, OTHER)})["m"]
    assert (noisy.p, noisy.decision) == (1.0, "within chance"), "equal by value alone"


def test_the_minimum_detectable_difference_is_of_all_pairs() -> None:
    entries = [DICE.normal(0.5, 0.01 * n, 1000) for n in range(1, 6)]
    entries[2][:20] = math.nan  # few enough for a standard error
    entries[3][:80] = math.nan  # too many
    errors = []
    for n, one in enumerate(entries):
        for other in entries[:n]:
            paired = [d for d in (one - other).tolist() if not math.isnan(d)]
            errors += [statistics.stdev(paired)] if len(paired) >= 950 else []
    assert len(errors) == 6
    assert minimum_detectable(entries) == pytest.approx(2.80 * statistics.median(errors))


@pytest.mark.parametrize("count", [0, 1])
def test_one_entry_detects_nothing(count: int) -> None:
    assert minimum_detectable([ONE] * count) is None


def test_equal_entries_differ_by_nothing() -> None:
    assert minimum_detectable([ONE, ONE.copy()]) == pytest.approx(0.0, abs=1e-6)


SURE = Difference(0.2, 0.01, 0.18, 0.22, 1e-9, 1e-8, few_videos=False)
CHANCE = Difference(0.02, 0.02, -0.02, 0.06, 0.3, 0.9, few_videos=False)
FEW = Difference(0.2, 0.01, 0.18, 0.22, 1e-9, 1e-8, few_videos=True)
EQUAL = Difference(0.0, 0.0, 0.0, 0.0, few_videos=False)
IMPORTED = Difference(0.1)


def reversed_(each: Difference) -> Difference:
    return replace(each, difference=-each.difference)


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ([SURE, CHANCE, EQUAL], "A is ahead on 2 of 3 metrics, 1 of them beyond chance."),
        (
            [reversed_(SURE), reversed_(CHANCE), SURE],
            "B is ahead on 2 of 3 metrics, 1 of them beyond chance; "
            "A on 1, 1 of them beyond chance.",
        ),
        (
            [FEW, CHANCE],
            "A is ahead on 2 of 2 metrics, none of them beyond chance. Few videos: 1 not decided.",
        ),
        (
            [IMPORTED, reversed_(IMPORTED)],
            "A is ahead on 1 of 2 metrics; B on 1. "
            "Chance cannot be judged: that takes the answers of both.",
        ),
        ([EQUAL, EQUAL], "A and B are equal on 2 metrics."),
    ],
)
def test_a_comparison_in_words(differences: list[Difference], words: str) -> None:
    assert in_words("A", "B", dict(zip("abc", differences, strict=False))) == words


def test_each_difference_is_decided_or_not() -> None:
    assert [each.decision for each in (SURE, CHANCE, FEW, EQUAL, IMPORTED)] == [
        "beyond chance",
        "within chance",
        "few videos: not decided",
        "equal",
        "not decided",
    ]
