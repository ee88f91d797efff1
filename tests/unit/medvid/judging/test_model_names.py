"""Which models' answers count."""

from __future__ import annotations

import pytest

from medvid.judging.model_names import counts_as, is_confirmed


@pytest.mark.parametrize(
    ("pinned", "said", "counts"),
    [
        ("gpt-4.1", "gpt-4.1", True),
        ("gpt-4.1", "gpt-4.1-2025-04-14", True),
        ("gemini-2.5-flash", "models/gemini-2.5-flash", True),
        ("models/gemini-2.5-flash", "gemini-2.5-flash-001", True),
        ("org/model:7b", "org/model:7b", True),
        ("gpt-4.1", "gpt-4.1-mini", False),
        ("gpt-4.1", "gpt-4.1-mini-2025-04-14", False),
        ("gpt-4.1", "gpt-4.12", False),
        ("gpt-4.1", "gpt-4x1", False),
        ("gpt-4.1-2025-04-14", "gpt-4.1", False),
        ("gpt-4.1-2025-04-14", "gpt-4.1-2025-05-01", False),
        ("gpt-4.1", "GPT-4.1", False),
        ("gpt-4.1", "gpt-4.1-2025\n", False),
        ("gpt-4.1", "", False),
    ],
)
def test_the_pinned_model_and_its_dated_versions_count(
    pinned: str, said: str, counts: bool
) -> None:
    assert counts_as(pinned, said) is counts


def test_a_prefix_decides_alone() -> None:
    assert counts_as("gpt-4.1", "gpt-4.1-mini", prefix="gpt-4")
    assert not counts_as("gpt-4.1", "gpt-4.1", prefix="gemini")
    assert counts_as("gpt-4.1", "anything", prefix="")


@pytest.mark.parametrize(
    ("called", "confirmed"),
    [
        ("openai/lab/judge-1", True),
        ("lab/judge-1-2026-01-01", True),
        ("openai/other-1", False),  # an alias: the answer and its group name the alias
        ("judge-1", False),
    ],
)
def test_a_gateway_that_calls_another_model_does_not_confirm(called: str, confirmed: bool) -> None:
    facts = {"x-litellm-model-group": "lab/judge-1", "x-litellm-model-name": called}
    assert is_confirmed("lab/judge-1", "lab/judge-1", facts) is confirmed
