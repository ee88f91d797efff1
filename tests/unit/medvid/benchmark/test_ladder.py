"""What owners are shown of values that are only evaluated, and what a thousand answers reveal."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.boosting import STEP, Server, attack
from medvid.benchmark.ladder import Rung, Steps, answer, to_step
from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.comparisons import Score

STEPS = Steps(0.01, 0.05)


def score(value: float, error: float = 0.01, videos: int = 80) -> Score:
    draws = np.random.default_rng(int(value * 1e6)).normal(value, error, 1000)
    return Score(value, Estimate(draws, videos))


def rung(value: float, videos: int = 80) -> Rung:
    return Rung(score(value, videos=videos), to_step(value, 0.01), 0.01)


def test_the_first_answer_is_rounded() -> None:
    found = answer(score(0.51234), [], STEPS.of("cvs_acc"), 1)
    assert (found.shown, found.step, found.is_new) == (0.51, 0.01, True)
    assert STEPS.of("dvc_llm") == 0.05
    assert to_step(3.1415, 0.05) == 3.15
    assert to_step(0.51234, 1e-9) == 0.5123  # no finer than what ever leaves


def test_within_chance_of_an_earlier_answer_it_is_repeated() -> None:
    for value in (0.53, 0.47):  # above and below: either would tell a bit
        found = answer(score(value), [rung(0.5)], 0.01, 2)
        assert (found.shown, found.is_new) == (0.5, False)


def test_what_beats_all_beyond_chance_comes_in_full_and_what_is_worse_in_steps() -> None:
    better = answer(score(0.71234), [rung(0.3), rung(0.5)], 0.01, 3)
    assert (better.shown, better.step, better.is_new) == (0.7123, 1e-4, True)
    between = answer(score(0.41234), [rung(0.3), rung(0.5)], 0.01, 3)
    assert (between.shown, between.step, between.is_new) == (0.41, 0.01, True)
    few = answer(score(0.71234, videos=9), [rung(0.5)], 0.01, 2)
    assert (few.shown, few.step) == (0.71, 0.01)  # nine videos decide nothing


def test_the_more_was_asked_the_less_a_difference_proves() -> None:
    assert answer(score(0.56), [rung(0.5)], 0.01, 2).is_new
    assert not answer(score(0.56), [rung(0.5)], 0.01, 1000).is_new


@pytest.mark.parametrize("turns_round", [False, True])
def test_votes_over_many_answers_gain_nothing(turns_round: bool) -> None:
    gaps = {}
    for rule in ("full", "ladder"):
        server = Server(rule, np.random.default_rng(7), questions=1500, videos=300)  # type: ignore[arg-type]
        gaps[rule] = attack(server, 200, turns_round=turns_round)
    assert abs(gaps["ladder"]) <= STEP + 1e-9
    assert gaps["full"] > 3 * STEP
