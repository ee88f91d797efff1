"""Intervals, ranks, comparisons and second opinions come out as an independent implementation's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from medvid.benchmark.ranking import RankedRow, Row, rank
from medvid.benchmark.statistics.bootstrap import Estimates
from medvid.benchmark.statistics.comparisons import Score, compare
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.statistics.ranks import rank_statistics
from medvid.benchmark.statistics.second_opinions import (
    BySource,
    fair_view,
    majority,
    sensitivity,
    weighted_mean_ranks,
)
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS, Scoring
from tests import golden_files
from tests.golden_files import Key, contributions, values

HERE = Path(__file__).parent
PUBLISHED = HERE.parents[1] / "medvid" / "benchmark" / "data" / "published_leaderboards.json"
GOLDEN: dict[str, Any] = json.loads((HERE / "statistics.json").read_text())
FILES = tuple(GOLDEN["files"])
TOLERANCE = 1e-6


def replicates(file: str) -> Mapping[Key, Estimates]:
    return golden_files.replicates(file, GOLDEN["ground_truth_version"])


def near(expected: object) -> object:
    """Numbers to the tolerance; what is no number, exactly."""
    if isinstance(expected, dict):
        return {key: near(value) for key, value in expected.items()}
    if isinstance(expected, list):
        return [near(value) for value in expected]
    if isinstance(expected, float):
        return pytest.approx(expected, rel=0, abs=TOLERANCE)
    return expected


@pytest.mark.parametrize("file", FILES)
def test_every_value_has_its_error_and_interval(file: str) -> None:
    for metric, by_scoring in GOLDEN["files"][file].items():
        assert set(by_scoring) == (
            {"compat"} if metric in JUDGE_METRIC_KEYS else {"compat", "strict"}
        )
        for scoring, expected in by_scoring.items():
            found = asdict(interval(replicates(file)[metric, scoring].whole))
            assert found.pop("few_videos") == (expected["clusters"] < 15)
            found["value"] = values(file, scoring)[metric]
            assert found == near(expected), (metric, scoring)


def official_rows() -> list[Row]:
    rows: list[Row] = json.loads(PUBLISHED.read_text())["official"]
    return rows


def file_rows(scoring: Scoring) -> list[Row]:
    return [{"model_name": file, **values(file, scoring)} for file in FILES]


def board(name: str) -> tuple[list[RankedRow], list[dict[str, Any]]]:
    scoring: Scoring = "strict" if name.startswith("strict") else "compat"
    rows = file_rows(scoring) + ([] if name.endswith("three") else official_rows())
    ranked, _ = rank(rows)
    own = {
        index: {
            metric: replicates(file)[metric, scoring].whole.replicates for metric in METRIC_KEYS
        }
        for index, file in enumerate(FILES)
    }
    found = rank_statistics(ranked, own)
    return ranked, [
        {"model_name": row.model_name, "rank": row.rank, "mean_rank": row.mean_rank, **asdict(each)}
        for row, each in zip(ranked, found, strict=True)
    ]


@pytest.mark.parametrize("name", GOLDEN["boards"])
def test_ranks_have_their_intervals(name: str) -> None:
    _, found = board(name)
    assert found == near(GOLDEN["boards"][name])


@pytest.mark.parametrize("pair", GOLDEN["comparisons"])
def test_differences_have_their_errors_and_p_values(pair: str) -> None:
    one, other = (
        {
            metric: Score(value, replicates(file)[metric, "compat"].whole)
            for metric, value in values(file, "compat").items()
            if value is not None
        }
        for file in pair.split(" - ")
    )
    found = {metric: asdict(each) for metric, each in compare(one, other).items()}
    for metric, each in found.items():
        assert each.pop("few_videos") == (metric == "sa_acc")
    assert found == near(GOLDEN["comparisons"][pair])


@pytest.mark.parametrize("name", ["compat", "official_only"])
def test_second_opinions(name: str) -> None:
    ours = [] if name == "official_only" else file_rows("compat")
    ranked, _ = rank([*ours, *official_rows()])
    weights = GOLDEN["second_opinions"]["weights"]
    by_source: list[BySource | None] = [
        {
            metric: contributions(row.model_name)[metric, "compat"].value()[1]
            for metric in METRIC_KEYS
        }
        if row.index < len(ours)
        else None
        for row in ranked
    ]
    found = [
        {
            "model_name": row.model_name,
            "rank": row.rank,
            "one_entry_out": list(moved.one_entry_out),
            "one_metric_out": list(moved.one_metric_out),
            "copeland": won.copeland,
            "majority_place": won.majority_place,
            "fair": fair,
            "weighted_mean_rank": weighted,
        }
        for row, moved, won, fair, weighted in zip(
            ranked,
            sensitivity(ranked),
            majority(ranked),
            fair_view(by_source),
            weighted_mean_ranks(ranked, weights),
            strict=True,
        )
    ]
    assert found == near(GOLDEN["second_opinions"][name])
