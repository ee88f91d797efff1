"""What calls cost, in whole millionths of a US dollar, and which warnings a spending deserves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

MICROUSD: Final = 1_000_000
_HIGHEST: Final = 1e9
BATCH_SHARE: Final = 0.5
"""What a batch costs of the price online: https://platform.openai.com/docs/guides/batch."""
WARN_PERCENTS: Final = (70, 90, 100)


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens, which is millionths of a dollar per token.

    `cached_input`: of prompt tokens that the provider has in its cache, None for the full price;
    `reasoning`: of those that are spent before the reply, None for the price of output. Raises
    ValueError for what is no price.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a setting with a wrong word is refused

    input: float
    output: float
    cached_input: float | None = None
    reasoning: float | None = None

    def __post_init__(self) -> None:
        for price in (self.input, self.output, self.cached_input, self.reasoning):
            if price is None:
                continue
            if isinstance(price, bool) or not isinstance(price, int | float):
                raise ValueError("a price is a number")  # noqa: TRY004 - settings expect this one
            if not 0 <= price <= _HIGHEST:
                raise ValueError("a price is in US dollars per million tokens, from 0 to 1e9")

    @property
    def by_batch(self) -> TokenPrice:
        """Return the price of the same in a batch."""
        cached, reasoning = (
            None if price is None else price * BATCH_SHARE
            for price in (self.cached_input, self.reasoning)
        )
        return TokenPrice(self.input * BATCH_SHARE, self.output * BATCH_SHARE, cached, reasoning)

    def cost(
        self, prompt: float, completion: float, cached: float = 0, reasoning: float = 0
    ) -> int:
        """Return the cost, rounded up: a sum of costs never hides a part of a cent.

        `cached` tokens are of the prompt's, `reasoning` ones of the completion's.
        """
        cached_price = self.input if self.cached_input is None else self.cached_input
        thinking = self.output if self.reasoning is None else self.reasoning
        sent = self.input * (prompt - cached) + cached_price * cached
        return math.ceil(sent + self.output * (completion - reasoning) + thinking * reasoning)

    def most(self, prompt: int, completion: int) -> int:
        """Return the most that these tokens cost: nothing cached, all of it reasoned."""
        return max(self.cost(prompt, completion), self.cost(prompt, completion, 0, completion))


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
