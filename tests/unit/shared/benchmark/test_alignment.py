"""Alignment: position first, then keys in order of occurrence; partial, surplus, unknown."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.benchmark.alignment import Alignment, align
from shared.benchmark.report import Problems
from shared.benchmark.submission import Record
from shared.benchmark.tasks import Task
from shared.benchmark.test_set import TestItem, TestSet

exact = settings(deadline=None, derandomize=True)


def test_set(*samples: tuple[str, Task, str]) -> TestSet:
    return TestSet(tuple(TestItem(index, *sample) for index, sample in enumerate(samples)))


test_set.__test__ = False  # type: ignore[attr-defined]


def record(
    identity: str,
    prediction: str,
    *,
    task: Task = Task.TAL,
    question: str | None = None,
    position: int = 0,
) -> Record:
    asked = None if question is None else question.encode()
    return Record(position, "$[?]", identity, task, task.value, asked, prediction.encode())


def aligned(records: list[Record], samples: TestSet) -> tuple[Alignment, list[str]]:
    for index, one in enumerate(records):
        one.position = one.position or index
    problems = Problems()
    return align(records, samples, problems), [problem.code for problem in problems.first]


def texts(alignment: Alignment) -> list[str | None]:
    return [None if one is None else one.prediction.decode() for one in alignment.records]


REPEATING = test_set(
    ("a", Task.TAL, "q1"), ("a", Task.TAL, "q2"), ("b", Task.TAL, "q1"), ("a", Task.TAL, "q1")
)


def test_position_wins_even_where_ids_and_questions_repeat() -> None:
    records = [record(item.id, str(item.index), question="q1") for item in REPEATING.items]
    alignment, codes = aligned(records, REPEATING)
    assert (alignment.mode, alignment.ambiguous, codes) == ("position", 0, [])
    assert texts(alignment) == ["0", "1", "2", "3"]
    assert alignment.reworded == [1]


def test_a_prefix_of_the_test_set_aligns_by_position() -> None:
    alignment, codes = aligned([record("a", "0"), record("a", "1")], REPEATING)
    assert (alignment.mode, codes, alignment.answered) == ("position", [], 2)
    assert texts(alignment) == ["0", "1", None, None]


def test_keys_that_are_positions_align_a_partial_upload() -> None:
    records = [record("b", "2", position=2), record("a", "3", position=3)]
    alignment, codes = aligned(records, REPEATING)
    assert (alignment.mode, codes) == ("position", [])
    assert texts(alignment) == [None, None, "2", "3"]


def test_keys_counted_from_one_align_too() -> None:
    records = [
        record(item.id, str(item.index), position=item.index + 1) for item in REPEATING.items
    ]
    alignment, _ = aligned(records, REPEATING)
    assert (alignment.mode, texts(alignment)) == ("position", ["0", "1", "2", "3"])


def test_out_of_order_records_go_by_question_and_then_by_occurrence() -> None:
    records = [
        record("b", "b"),
        record("a", "a-q2", question="q2"),
        record("a", "a-q1 first", question="q1"),
        record("a", "a-q1 second", question="q1"),
    ]
    alignment, codes = aligned(records, REPEATING)
    assert (alignment.mode, codes) == ("key", [])
    assert texts(alignment) == ["a-q1 first", "a-q2", "b", "a-q1 second"]
    assert alignment.ambiguous == 2


def test_records_without_question_take_what_those_with_one_left() -> None:
    records = [record("b", "b"), record("a", "x"), record("a", "q2", question="q2")]
    alignment, codes = aligned(records, REPEATING)
    assert codes == []
    assert texts(alignment) == ["x", "q2", "b", None]
    assert alignment.ambiguous == 1


def test_another_wording_of_the_question_counts_as_none() -> None:
    records = [record("b", "b", question="in other words"), record("a", "x", question="q2")]
    alignment, codes = aligned(records, REPEATING)
    assert codes == []
    assert texts(alignment) == [None, "x", "b", None]
    assert alignment.reworded == [2]


def test_a_test_set_without_questions_finds_no_fault_with_them() -> None:
    samples = test_set(("a", Task.TAL, ""), ("b", Task.TAL, ""))
    records = [record("b", "b", question="q"), record("a", "a", question="q")]
    alignment, codes = aligned(records, samples)
    assert (texts(alignment), alignment.reworded, codes) == (["a", "b"], [], [])


def test_surplus_unknown_and_mismatched_records_are_errors() -> None:
    records = [
        record("b", "1"),
        record("b", "2"),
        record("c", "3"),
        record("a", "4", task=Task.STG),
        record("a", "5", question="q2"),
        record("a", "6", question="q2"),
    ]
    alignment, codes = aligned(records, REPEATING)
    assert sorted(codes) == ["qa_type_mismatch", "surplus_record", "surplus_record", "unknown_id"]
    assert texts(alignment) == [None, "5", "1", None]


def test_one_record_too_many_is_an_error_though_the_rest_agrees() -> None:
    records = [record(item.id, "x") for item in REPEATING.items]
    _, codes = aligned([*records, record("b", "y")], REPEATING)
    assert codes == ["surplus_record"]


def test_a_near_id_is_suggested() -> None:
    samples = test_set(("v&&0&&9&&1.0", Task.TAL, ""), ("w&&0&&9&&1.0", Task.TAL, ""))
    problems = Problems()
    align([record("v&&0&&9&&1", "x")], samples, problems)
    assert problems.first[0].fix == 'Did you mean "v&&0&&9&&1.0"?'


@exact
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "p", "q"])), min_size=1),
    st.randoms(use_true_random=False),
)
def test_any_order_that_keeps_equal_keys_in_order_gives_the_same(
    samples: list[tuple[str, str]], shuffler: random.Random
) -> None:
    whole = test_set(*((identity, Task.TAL, question) for identity, question in samples))
    if any(not item.question for item in whole.items):
        whole = test_set(*((identity, Task.TAL, "q") for identity, _ in samples))
    records = [
        record(item.id, str(item.index), question=item.question, position=0) for item in whole.items
    ]
    shuffled = _shuffle_keeping_keys(records, shuffler)
    alignment, codes = aligned(shuffled, whole)
    assert codes == []
    if alignment.mode == "key":
        assert texts(alignment) == [str(index) for index in range(len(whole))]
        keys = [(item.id, item.question) for item in whole.items]
        assert alignment.ambiguous == sum(keys.count(key) > 1 for key in keys)


def _shuffle_keeping_keys(records: list[Record], shuffler: random.Random) -> list[Record]:
    keys = [(one.id, one.question) for one in records]
    shuffler.shuffle(keys)
    queues: dict[object, list[Record]] = {}
    for one in records:
        queues.setdefault((one.id, one.question), []).append(one)
    return [queues[key].pop(0) for key in keys]


@exact
@given(st.lists(st.sampled_from("abcx"), max_size=12), st.lists(st.sampled_from("abc"), min_size=1))
def test_every_record_is_placed_once_or_reported(given_ids: list[str], true_ids: list[str]) -> None:
    samples = test_set(*((identity, Task.TAL, "") for identity in true_ids))
    alignment, codes = aligned([record(one, "p") for one in given_ids], samples)
    assert alignment.answered + len(codes) == len(given_ids)
    placed = [
        one.id == item.id
        for one, item in zip(alignment.records, samples.items, strict=True)
        if one is not None
    ]
    assert all(placed)


@pytest.mark.parametrize("count", [0, 1])
def test_small_uploads_align(count: int) -> None:
    alignment, codes = aligned([record("a", "x")] * count, REPEATING)
    assert (alignment.answered, codes) == (count, [])
