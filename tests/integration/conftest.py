"""Fixtures of tests on real servers."""

from __future__ import annotations

import pytest

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.judging.aggregate import JudgeScore
from tests.judging import FEW, judged, plan_of


@pytest.fixture(scope="module")
def few() -> JudgingPlan:
    """The pairs of an upload with few captions."""
    return plan_of(FEW)


@pytest.fixture(scope="module")
def expected(few: JudgingPlan) -> dict[str, JudgeScore]:
    """Their values."""
    return judged(few)
