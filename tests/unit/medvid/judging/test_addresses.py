"""Base URLs that cannot work are told at the start, with the cure."""

from __future__ import annotations

import pytest

from medvid.judging.addresses import problem_of


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8000/v1/",
        "http://[::1]:8000/v1",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "https://one.openai.azure.com/openai/deployments/gpt-4.1",
    ],
)
def test_what_providers_have_is_taken(url: str) -> None:
    assert problem_of(url) is None


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("", "no blanks"),
        (" https://api.openai.com/v1", "no blanks"),
        ("https://api.openai.com/v1\n", "no blanks"),
        ("https://api.openai.com/\u200bv1", "no blanks"),
        ("api.openai.com/v1", "https://"),
        ("localhost:8000/v1", "https://"),
        ("ftp://api.openai.com/v1", "https://"),
        ("https:///v1", "https://"),
        ("https://api.openai.com:port/v1", "no address"),
        ("https://one.openai.azure.com/openai?api-version=2024-10-21", "MEDVID_JUDGE_QUERY"),
        ("https://api.openai.com/v1#x", "MEDVID_JUDGE_QUERY"),
        ("https://api.openai.com/v1/chat/completions", "leave /chat/completions off"),
    ],
)
def test_what_cannot_work_is_told_with_its_cure(url: str, cure: str) -> None:
    assert cure in (problem_of(url) or "")
