"""The ranking rule against a plain reading of its definition."""

import random
import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.ranking import Row, rank
from medvid.benchmark.tasks import METRIC_KEYS, RANKINGS, Ranking
from tests.depth import examples

VALUES = st.none() | st.sampled_from([0.0, -1.0, 0.5, 0.5004, 0.4996, 1.0]) | st.floats(-2, 5)
BOARDS = st.lists(
    st.fixed_dictionaries(dict.fromkeys(METRIC_KEYS, VALUES)), min_size=1, max_size=8
).map(lambda rows: [{"model_name": f"m{index}", **row} for index, row in enumerate(rows)])
exact = settings(deadline=None, derandomize=True, max_examples=examples(100))


RULES = st.sampled_from(RANKINGS)


def shown(value: object) -> float | None:
    return None if value is None else round(round(float(str(value)), 4), 3)


def by_definition(rows: list[Mapping[str, object]], ranking: Ranking) -> list[str]:
    """Rank as SPEC 4 reads, without any shortcut; those without any value follow, by name."""
    rounded = [{key: shown(row[key]) for key in METRIC_KEYS} for row in rows]
    keys = []
    for row, original in zip(rounded, rows, strict=True):
        if not any(value is not None for value in row.values()):
            keys.append((99.0, 0, 0, 0.0, str(original["model_name"])))
            continue
        ranks, relative = [], 0.0
        for metric in METRIC_KEYS:
            present = [other[metric] for other in rounded if other[metric] is not None]
            value = row[metric]
            higher = [other for other in present if value is None or other > value]
            ranks.append(1 + len(set(higher) if ranking == "dense" else higher))
            if value is not None and max(present) > 0:
                relative += value / max(present)
        keys.append((sum(ranks) / 10, -ranks.count(1), sum(ranks), -relative,
                     str(original["model_name"])))  # fmt: skip
    return [key[-1] for key in sorted(keys)]


@exact
@given(BOARDS, RULES)
def test_the_order_is_that_of_the_definition(rows: list[Row], ranking: Ranking) -> None:
    ranked, unranked = rank(rows, ranking)
    names = [row.model_name for row in ranked] + [rows[index]["model_name"] for index in unranked]
    assert names == by_definition(rows, ranking)


@exact
@given(BOARDS, RULES)
def test_a_row_without_a_value_changes_no_rank(rows: list[Row], ranking: Ranking) -> None:
    ranked, unranked = rank(rows, ranking)
    assert all(rows[index].get(key) is None for index in unranked for key in METRIC_KEYS)
    alone, none = rank([row for n, row in enumerate(rows) if n not in unranked], ranking)
    assert none == []
    assert [(row.model_name, row.ranks, row.mean_rank) for row in ranked] == [
        (row.model_name, row.ranks, row.mean_rank) for row in alone
    ]


@exact
@given(BOARDS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: list[Row], shuffler: random.Random) -> None:
    shuffled = rows.copy()
    shuffler.shuffle(shuffled)
    (first, below), (second, also_below) = rank(rows), rank(shuffled)
    assert [rows[i] for i in below] == [shuffled[i] for i in also_below]
    assert [r.model_name for r in first] == [r.model_name for r in second]
    assert [r.ranks for r in first] == [r.ranks for r in second]
    assert [r.rank for r in first] == list(range(1, len(first) + 1))


def test_missing_values_rank_below_all_and_an_empty_column_ranks_all_first() -> None:
    ranked, unranked = rank(
        [
            {"model_name": "a", "cvs_acc": None, "nap_acc": 0.0},
            {"model_name": "b", "cvs_acc": 0.0, "nap_acc": 0.0},
            {"model_name": "c", "cvs_acc": -0.5, "nap_acc": 0.0},
        ]
    )
    assert [(row.model_name, row.ranks["cvs_acc"]) for row in ranked] == [
        ("b", 1), ("c", 2), ("a", 3),
    ]  # fmt: skip
    assert {row.ranks["sa_acc"] for row in ranked} == {1}
    assert ranked[0].first_places == 10
    assert unranked == []


def test_without_any_value_there_is_no_rank() -> None:
    rows: list[Row] = [
        {"model_name": "c"},
        {"model_name": "b", "cvs_acc": 0.1},
        {"model_name": "a"},
    ]
    ranked, unranked = rank(rows)
    assert [row.model_name for row in ranked] == ["b"]
    assert unranked == [2, 0]
    assert rank(rows, metrics=("sa_acc",)) == ([], [2, 1, 0])


def test_dense_ranks_leave_none_out() -> None:
    rows: list[Row] = [
        {"model_name": str(value), "cvs_acc": value, "nap_acc": 0.1}
        for value in (0.9, 0.5, None, 0.1)
    ]
    rows.append({"model_name": "as 0.5", "cvs_acc": 0.5, "nap_acc": 0.1})
    found = {
        ranking: sorted(row.ranks["cvs_acc"] for row in rank(rows, ranking)[0])
        for ranking in RANKINGS
    }
    assert found == {"competition": [1, 2, 2, 4, 5], "dense": [1, 2, 2, 3, 4]}


def test_values_are_rounded_as_they_are_published_and_then_as_they_are_kept() -> None:
    ranked, _ = rank([{"model_name": "a", "cvs_acc": 0.2604923}])
    assert ranked[0].values["cvs_acc"] == 0.261  # by way of 0.2605; at once it would be 0.26


def test_values_that_print_alike_tie() -> None:
    rows: list[Row] = [
        {"model_name": "a", "cvs_acc": 0.50044}, {"model_name": "b", "cvs_acc": 0.4996},
    ]  # fmt: skip
    ranked, _ = rank(rows)
    assert [row.ranks["cvs_acc"] for row in ranked] == [1, 1]
    assert [row.values["cvs_acc"] for row in ranked] == [0.5, 0.5]
    assert [row.rank for row in ranked] == [1, 2]


def test_equal_rows_go_by_code_point_of_the_name() -> None:
    names = ["b", "A", "a", unicodedata.lookup("GRINNING FACE"), "é", "\uffee"]
    ranked, _ = rank([{"model_name": name, "cvs_acc": 0.5} for name in names])
    assert [row.model_name for row in ranked] == sorted(names)


def test_a_minus_zero_is_shown_as_zero() -> None:
    ranked, _ = rank([{"model_name": "a", "cvs_acc": -0.0001}])
    assert str(ranked[0].values["cvs_acc"]) == "0.0"


def test_an_empty_board_has_no_rows() -> None:
    assert rank([]) == ([], [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5"])
def test_values_that_are_no_finite_numbers_are_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match="cvs_acc of 'a'"):
        rank([{"model_name": "a", "cvs_acc": value}])
