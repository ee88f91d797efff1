"""What leaves of a value: 4 decimals, and nothing where too few samples were answered."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import pytest

from medvid.benchmark.disclosure import (
    TOO_FEW_ANSWERS,
    about,
    few,
    few_in,
    never_shown,
    rounded,
    well_answered,
    withheld,
)
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.tasks import METRIC_KEYS, Task


@pytest.mark.parametrize(
    ("value", "told"),
    [(1 / 3, 0.3333), (0.00005, 0.0001), (0.00015, 0.0001), (1.0, 1.0), (-1e-9, 0.0), (None, None)],
)
def test_a_value_has_four_decimals(value: float | None, told: float | None) -> None:
    assert rounded(value) == told
    assert value is None or math.copysign(1, rounded(value) or 0.0) == 1


def test_a_similarity_has_two() -> None:
    assert rounded(0.99999, 2) == 1.0
    assert rounded(0.62501, 2) == 0.63


@pytest.mark.parametrize("metric", METRIC_KEYS)
@pytest.mark.parametrize(
    ("answered", "expected", "why"),
    [
        (0, 100, TOO_FEW_ANSWERS),
        (29, 29, TOO_FEW_ANSWERS),
        (30, 60, None),
        (30, 61, TOO_FEW_ANSWERS),
        (500, 1000, None),
        (None, None, None),
    ],
)
def test_a_metric_needs_30_answers_and_half_of_its_samples(
    metric: str, answered: int | None, expected: int | None, why: str | None
) -> None:
    assert withheld(metric, answered, expected) == why


def test_whether_no_pair_matched_or_a_few_is_not_told() -> None:
    assert withheld("dvc_llm", 0, 0) == withheld("dvc_llm", 3, 3) == TOO_FEW_ANSWERS
    assert withheld("dvc_f1", 0, 0) is None, "the test set has none: n/a"


def test_a_source_needs_30_answers() -> None:
    assert (few(29), few(30)) == (TOO_FEW_ANSWERS, None)


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        ({"a": 30, "b": 30}, "ab"),
        ({"a": 30, "b": 0}, "a"),  # nothing is hidden, so nothing can be subtracted
        ({"a": 40, "b": 1, "c": 35}, "a"),
        ({"a": 40, "b": 15, "c": 15}, "a"),
        ({"a": 40, "b": 29}, ""),
        ({}, ""),
    ],
)
def test_what_is_withheld_is_not_what_is_left_of_the_whole(
    answered: dict[str, int], told: str
) -> None:
    why = few_in(answered)
    assert "".join(sorted(source for source in why if why[source] is None)) == told


@pytest.mark.parametrize(("count", "told"), [(0, 0), (7, 7), (99, 99), (1_365, 1_400)])
def test_a_count_that_a_text_can_choose_has_two_digits(count: int, told: int) -> None:
    assert about(count) == told


def test_a_task_answered_by_less_than_half_is_left_out() -> None:
    tasks = [Task.VIDEO_SUMMARY] * 4 + [Task.DENSE_CAPTIONING] * 4
    samples = cast(list[Sample], [SimpleNamespace(task=task) for task in tasks])
    texts = ["a", None, "b", None, "c", "", " \n", None]
    assert list(well_answered(samples, texts)) == ["a", None, "b", None, *[None] * 4]


def test_a_small_test_set_says_what_it_never_shows() -> None:
    tasks = [Task.TAL] * 30 + [Task.STG] * 29
    samples = cast(list[Sample], [SimpleNamespace(task=task) for task in tasks])
    assert never_shown(samples) == "of fewer than 30 samples no value is ever shown: stg 29."
    assert never_shown(samples[:30]) == never_shown([]) == ""
