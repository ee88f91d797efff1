"""The ranking rule against a plain reading of its definition."""

import random
import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ranker.domain.ranking import Row, rank
from shared.benchmark.tasks import METRIC_KEYS

VALUES = st.none() | st.sampled_from([0.0, -1.0, 0.5, 0.5004, 0.4996, 1.0]) | st.floats(-2, 5)
BOARDS = st.lists(
    st.fixed_dictionaries(dict.fromkeys(METRIC_KEYS, VALUES)), min_size=1, max_size=8
).map(lambda rows: [{"model_name": f"m{index}", **row} for index, row in enumerate(rows)])
exact = settings(deadline=None, derandomize=True, max_examples=100)


def by_definition(rows: list[Mapping[str, object]]) -> list[str]:
    """Rank as SPEC 4 reads, without any shortcut."""
    rounded = [
        {key: None if row[key] is None else round(float(str(row[key])), 3) for key in METRIC_KEYS}
        for row in rows
    ]
    keys = []
    for row, original in zip(rounded, rows, strict=True):
        ranks, relative = [], 0.0
        for metric in METRIC_KEYS:
            present = [other[metric] for other in rounded if other[metric] is not None]
            value = row[metric]
            higher = [other for other in present if value is None or other > value]
            ranks.append(1 + len(higher))
            if value is not None and max(present) > 0:
                relative += value / max(present)
        keys.append((sum(ranks) / 10, -ranks.count(1), sum(ranks), -relative,
                     str(original["model_name"])))  # fmt: skip
    return [key[-1] for key in sorted(keys)]


@exact
@given(BOARDS)
def test_the_order_is_that_of_the_definition(rows: list[Row]) -> None:
    assert [row.model_name for row in rank(rows)] == by_definition(rows)


@exact
@given(BOARDS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: list[Row], shuffler: random.Random) -> None:
    shuffled = rows.copy()
    shuffler.shuffle(shuffled)
    first, second = rank(rows), rank(shuffled)
    assert [r.model_name for r in first] == [r.model_name for r in second]
    assert [r.ranks for r in first] == [r.ranks for r in second]
    assert [r.rank for r in first] == list(range(1, len(rows) + 1))


def test_missing_values_rank_below_all_and_an_empty_column_ranks_all_first() -> None:
    ranked = rank(
        [
            {"model_name": "a", "cvs_acc": None},
            {"model_name": "b", "cvs_acc": 0.0},
            {"model_name": "c", "cvs_acc": -0.5},
        ]
    )
    assert [(row.model_name, row.ranks["cvs_acc"]) for row in ranked] == [
        ("b", 1), ("c", 2), ("a", 3),
    ]  # fmt: skip
    assert {row.ranks["nap_acc"] for row in ranked} == {1}
    assert ranked[0].first_places == 10


def test_values_that_print_alike_tie() -> None:
    ranked = rank([{"model_name": "a", "cvs_acc": 0.50049}, {"model_name": "b", "cvs_acc": 0.4996}])
    assert [row.ranks["cvs_acc"] for row in ranked] == [1, 1]
    assert [row.values["cvs_acc"] for row in ranked] == [0.5, 0.5]
    assert [row.rank for row in ranked] == [1, 2]


def test_equal_rows_go_by_code_point_of_the_name() -> None:
    names = ["b", "A", "a", unicodedata.lookup("GRINNING FACE"), "é", "\uffee"]
    ranked = rank([{"model_name": name, "cvs_acc": 0.5} for name in names])
    assert [row.model_name for row in ranked] == sorted(names)


def test_a_minus_zero_is_shown_as_zero() -> None:
    assert str(rank([{"model_name": "a", "cvs_acc": -0.0001}])[0].values["cvs_acc"]) == "0.0"


def test_an_empty_board_has_no_rows() -> None:
    assert rank([]) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5"])
def test_values_that_are_no_finite_numbers_are_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match="cvs_acc of 'a'"):
        rank([{"model_name": "a", "cvs_acc": value}])
