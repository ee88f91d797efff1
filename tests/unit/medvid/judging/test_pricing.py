"""Money: whole millionths, never rounded down; a grant never exceeds what a budget leaves."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.judging.pricing import (
    FREE,
    WARN_PERCENTS,
    Budget,
    TokenPrice,
    grant,
    percent_reached,
    to_microusd,
)

TOKENS = st.integers(0, 10**7)
PRICES = st.floats(0, 1000).map(lambda price: round(price, 4))
AMOUNTS = st.integers(0, 10**9)
BUDGETS = st.lists(st.builds(Budget, st.sampled_from(["run", "month"]), *[AMOUNTS] * 3), max_size=2)


def test_a_price_per_million_tokens_is_millionths_per_token() -> None:
    assert TokenPrice(2, 8).cost(1_000_000, 0) == to_microusd(2)
    assert TokenPrice(2, 8).cost(600, 40) == 1520
    assert FREE.cost(10**6, 10**6) == 0
    assert TokenPrice(0.0001, 0).cost(1, 0) == 1


def test_a_batch_costs_half() -> None:
    price = TokenPrice(2, 8, cached_input=0.5)
    assert price.by_batch.cost(1000, 100, 400) * 2 == price.cost(1000, 100, 400)
    assert TokenPrice(2, 8).by_batch.cached_input is None


@given(PRICES, PRICES, TOKENS, TOKENS)
def test_costs_are_rounded_up_by_less_than_a_millionth(
    price_in: float, price_out: float, prompt: int, reply: int
) -> None:
    cost = TokenPrice(price_in, price_out).cost(prompt, reply)
    exact = Fraction(price_in) * prompt + Fraction(price_out) * reply
    error = Fraction(1, 1000)  # sums of floats
    assert exact - error <= cost < exact + 1 + error


@given(PRICES, TOKENS, TOKENS, TOKENS)
def test_more_tokens_never_cost_less(price: float, prompt: int, reply: int, more: int) -> None:
    prices = TokenPrice(price, price)
    assert prices.cost(prompt, reply) <= prices.cost(prompt + more, reply)


@pytest.mark.parametrize(
    ("spent", "cap", "percent"),
    [(0, 100, 0), (69, 100, 0), (70, 100, 70), (89, 100, 70), (90, 100, 90), (99, 100, 90),
     (100, 100, 100), (250, 100, 100), (999, None, 0), (0, 0, 100)],
)  # fmt: skip
def test_thresholds_are_reached_exactly(spent: int, cap: int | None, percent: int) -> None:
    assert percent_reached(spent, cap) == percent


@given(AMOUNTS, AMOUNTS)
def test_warnings_only_rise(spent: int, cap: int) -> None:
    reached = [percent_reached(spent * step // 4, cap) for step in range(5)]
    assert reached == sorted(reached)
    assert set(reached) <= {0, *WARN_PERCENTS}


@given(st.integers(1, 10**6), st.integers(1, 40), BUDGETS)
def test_a_grant_fits_every_budget_or_is_refused(
    needed: int, calls: int, budgets: list[Budget]
) -> None:
    given_ = grant(needed * calls, needed, budgets)
    left = [budget.cap - budget.spent - budget.held for budget in budgets]
    if given_.amount:
        assert needed <= given_.amount <= needed * calls
        assert all(given_.amount <= amount for amount in left)
        assert not given_.scope
    else:
        assert any(amount < needed for amount in left)
        assert given_.scope
        spent_for_good = any(budget.cap - budget.spent < needed for budget in budgets)
        assert given_.is_final == spent_for_good


def test_without_budgets_everything_is_granted() -> None:
    assert grant(32, 1, []).amount == 32


def test_what_others_hold_may_come_back_and_what_is_spent_may_not() -> None:
    assert not grant(10, 10, [Budget("month", 100, 50, 45)]).is_final
    final = grant(10, 10, [Budget("month", 100, 50, 45), Budget("run", 100, 95, 0)])
    assert (final.scope, final.is_final) == ("run", True)


def test_reasoning_costs_what_the_provider_takes_for_it() -> None:
    price = TokenPrice(2, 8, 0.5, 12)
    assert price.cost(1000, 100, 800, 70) == 2 * 200 + 400 + 8 * 30 + 12 * 70
    assert TokenPrice(2, 8).cost(1000, 100, 0, 70) == 2800
    assert price.most(1000, 100) == 2 * 1000 + 12 * 100
    assert TokenPrice(2, 8, reasoning=4).most(1000, 100) == 2800


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), 1e10, True, "2"])
@pytest.mark.parametrize("of", ["input", "output", "cached_input", "reasoning"])
def test_what_is_no_price_is_refused(of: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match="a price is"):
        TokenPrice(**{"input": 1, "output": 1} | {of: wrong})


def test_cached_tokens_cost_what_the_provider_takes_for_them() -> None:
    assert TokenPrice(2, 8, 0.5).cost(1000, 10, 800) == 2 * 200 + 400 + 80
    assert TokenPrice(2, 8).cost(1000, 10, 800) == 2080
