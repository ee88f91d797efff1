"""The published boards and random ones come out in the expected order (SPEC 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from medvid.benchmark.ranking import rank

CASES = json.loads((Path(__file__).parent / "ranking.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_order_ranks_and_wins_are_as_published(case: dict[str, Any]) -> None:
    ranked, unranked = rank(case["rows"], case.get("ranking", "competition"))
    told: list[dict[str, Any]] = [
        {
            "model_name": row.model_name,
            "rank": row.rank,
            "average_rank": row.mean_rank,
            "metric_ranks": row.ranks,
            "wins": row.first_places,
        }
        for row in ranked
    ]
    told += [
        {
            "model_name": case["rows"][index]["model_name"],
            "rank": None,
            "average_rank": None,
            "metric_ranks": None,
            "wins": 0,
        }
        for index in unranked
    ]
    assert len(told) == len(case["expected"])
    for row, expected in zip(told, case["expected"], strict=True):
        average = expected["average_rank"]
        assert row == {
            **expected,
            "average_rank": average and pytest.approx(average, abs=1e-9),
        }


def test_the_cases_hold_what_the_rule_has_to_decide() -> None:
    assert {case.get("ranking") for case in CASES} == {None, "dense"}
    assert any(row["rank"] is None for case in CASES for row in case["expected"])
    assert any(
        round(value, 3) != round(round(value, 4), 3)
        for case in CASES
        for row in case["rows"]
        for value in row.values()
        if isinstance(value, float)
    )
