"""The published boards and random ones come out in the expected order (SPEC 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.ranker.domain.ranking import rank

CASES = json.loads((Path(__file__).parent / "ranking.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_order_ranks_and_wins_are_as_published(case: dict[str, Any]) -> None:
    ranked = [
        {
            "model_name": row.model_name,
            "rank": row.rank,
            "average_rank": row.mean_rank,
            "metric_ranks": row.ranks,
            "wins": row.first_places,
        }
        for row in rank(case["rows"])
    ]
    assert len(ranked) == len(case["expected"])
    for row, expected in zip(ranked, case["expected"], strict=True):
        assert row == {
            **expected,
            "average_rank": pytest.approx(expected["average_rank"], abs=1e-9),
        }
