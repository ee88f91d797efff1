"""What calls cost, in whole millionths of a US dollar, and which warnings a spending deserves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MICROUSD: Final = 1_000_000
WARN_PERCENTS: Final = (70, 90, 100)


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens, which is millionths of a dollar per token.

    `cached_input`: of prompt tokens that the provider has in its cache; None for the full price.
    """

    input: float
    output: float
    cached_input: float | None = None

    def cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> int:
        """Return the cost, rounded up: a sum of costs never hides a part of a cent.

        `cached_tokens` are of the prompt's.
        """
        cached_price = self.input if self.cached_input is None else self.cached_input
        prompt = self.input * (prompt_tokens - cached_tokens) + cached_price * cached_tokens
        return math.ceil(prompt + self.output * completion_tokens)


FREE: Final = TokenPrice(0, 0)


def to_microusd(usd: float) -> int:
    """Return dollars as whole millionths."""
    return round(usd * MICROUSD)


def percent_reached(spent: int, cap: int | None) -> int:
    """Return the highest warning threshold that the spending reaches, 0 for none."""
    if cap is None:
        return 0
    return max((percent for percent in WARN_PERCENTS if spent * 100 >= cap * percent), default=0)


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap and what counts against it: `spent` is settled, `held` is set aside by others."""

    scope: str
    cap: int
    spent: int
    held: int


@dataclass(frozen=True, slots=True)
class Grant:
    """How much may be set aside.

    0 where a budget does not allow it: `scope` names it, and `is_final` tells whether it is spent
    for good or others may yet give back what they hold.
    """

    amount: int
    scope: str = ""
    is_final: bool = False


def grant(wanted: int, needed: int, budgets: Iterable[Budget]) -> Grant:
    """Return between `needed` and `wanted` from all budgets at once, or nothing."""
    amount = wanted
    refused = Grant(0)
    for budget in budgets:
        left = budget.cap - budget.spent
        if left < needed:
            return Grant(0, budget.scope, is_final=True)
        if left - budget.held < needed:
            refused = Grant(0, budget.scope)
        amount = min(amount, left - budget.held)
    return refused if refused.scope else Grant(amount)
