"""What the judge's settings make: who judges, or why nobody does."""

from __future__ import annotations

import pytest

from medvid.judging.pricing import FREE, TokenPrice
from services.judge.open_judge import judge_version, rubric_of
from services.judge.settings import JudgeSettings

OLD_DEFAULT = "gpt-4.1-2025-04-14"


@pytest.mark.parametrize("model", [{}, {"judge_model": ""}])
def test_a_provider_without_a_model_judges_nothing(model: dict[str, str]) -> None:
    settings = JudgeSettings.model_validate(
        {"judge_provider": "openai", "judge_month_cap_usd": 1, **model}
    )
    assert (settings.why_off, settings.price) == ("no_model", FREE)
    assert JudgeSettings().why_off == "no_provider"
    assert JudgeSettings(judge_provider="stub").why_off is None


def test_the_default_of_before_set_by_hand_is_the_same_judge() -> None:
    settings = JudgeSettings(judge_provider="openai", judge_model=OLD_DEFAULT)
    assert settings.why_off is None
    assert judge_version(settings, rubric_of(settings)).hash == (
        "03663b573fb1985768ea9956b7d92f052b087a0a31d9be905a35bf7df0da74fa"
    )


def test_a_price_has_parts_and_no_others() -> None:
    price = {"input": 1, "output": 2, "cached_input": 0.1, "reasoning": 3}
    settings = JudgeSettings.model_validate(
        {"judge_provider": "openai", "judge_model": "m", "judge_prices": {"m": price}}
    )
    assert settings.price == TokenPrice(1, 2, 0.1, 3)
    for wrong in ({"thoughts": 1}, {"input": -1}):
        with pytest.raises(ValueError, match="judge_prices"):
            JudgeSettings.model_validate({"judge_prices": {"m": price | wrong}})
