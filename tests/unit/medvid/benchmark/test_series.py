"""Judge series: what a board ranks, what it only shows, and which series it begins with."""

from __future__ import annotations

import pytest

from medvid.benchmark.series import RANKS_ALL, SeriesRule, Treatment, adopted, ranked_values

A, B = "a" * 16, "b" * 16
SERIES = {"dvc_llm": A, "vs_llm": B, "rc_llm": "published", "other": None}


@pytest.mark.parametrize(
    ("others", "published", "left_out"),
    [
        ("missing", "ranked", {"vs_llm": "other_judge"}),
        ("ranked", "ranked", {}),
        ("ranked", "missing", {"rc_llm": "published"}),
        ("missing", "missing", {"vs_llm": "other_judge", "rc_llm": "published"}),
    ],
)
def test_values_that_do_not_rank(
    others: Treatment, published: Treatment, left_out: dict[str, str]
) -> None:
    rule = SeriesRule(A, others, published)
    assert rule.not_ranked(SERIES) == left_out
    assert SeriesRule.of(rule.stored()) == rule
    values = ranked_values(dict.fromkeys(SERIES, 3.0), left_out)
    assert [key for key, value in values.items() if value is None] == [
        key for key in SERIES if key in left_out
    ]


def test_marks_are_there_whatever_ranks() -> None:
    rule = SeriesRule(A, "ranked", "ranked")
    marks = [rule.mark(series) for series in SERIES.values()]
    assert marks == [None, "other_judge", "published", None]


def test_a_board_without_a_series_ranks_all_and_so_did_the_version_before() -> None:
    assert SeriesRule.of(None) == RANKS_ALL
    assert RANKS_ALL.not_ranked(SERIES) == {}


def test_a_board_takes_the_series_of_most_of_its_values() -> None:
    assert adopted([A, B, B, None, "published", "published", "published"], None) == B
    assert adopted([A, B], B) == B, "of as many, the one that judges now"
    assert adopted([B, A], "c" * 16) == A
    assert adopted([None, "published"], A) is None
