"""Alignment: position first, then keys in order of occurrence; partial, surplus, unknown."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.alignment import Alignment, align
from medvid.benchmark.report import Problems
from medvid.benchmark.submission import Record
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet

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
    found = align(records, samples, problems)
    return found, [problem.code for problem in problems.first for _ in range(problem.count)]


def texts(alignment: Alignment) -> list[str | None]:
    return [None if one is None else one.prediction.decode() for one in alignment.records]


REPEATING = test_set(
    ("a", Task.TAL, "q1"), ("a", Task.TAL, "q2"), ("b", Task.TAL, "q1"), ("a", Task.TAL, "q1")
)


def test_position_wins_even_where_keys_repeat() -> None:
    records = [record(item.id, str(item.index)) for item in REPEATING.items]
    alignment, codes = aligned(records, REPEATING)
    assert (alignment.mode, alignment.ambiguous, codes) == ("position", 0, [])
    assert texts(alignment) == ["0", "1", "2", "3"]


def test_questions_in_other_words_change_nothing_at_their_positions() -> None:
    records = [record(item.id, str(item.index), question="new") for item in REPEATING.items]
    alignment, codes = aligned(records, REPEATING)
    assert (alignment.mode, codes, alignment.reworded) == ("position", [], [0, 1, 2, 3])


def test_ids_that_no_sample_has_are_ignored_where_all_else_agrees() -> None:
    records = [record(item.id, str(item.index), question=item.question) for item in REPEATING.items]
    records[1] = record("nobody", "1", question="q2")
    alignment, codes = aligned(records, REPEATING)
    assert (alignment.mode, codes, alignment.foreign_ids) == ("position", [], [1])
    assert texts(alignment) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("wrong", ["question", "task"])
def test_an_unknown_id_with_another_question_or_task_is_an_error(wrong: str) -> None:
    records = [record(item.id, str(item.index)) for item in REPEATING.items]
    records[1] = (
        record("nobody", "1", question="q7")
        if wrong == "question"
        else record("nobody", "1", task=Task.STG)
    )
    alignment, codes = aligned(records, REPEATING)
    assert (codes, alignment.foreign_ids) == (["unknown_id"], [])


def test_a_file_in_order_with_gaps_takes_the_earliest_samples_that_leave_room() -> None:
    samples = test_set(*((identity, Task.TAL, "") for identity in "abacab"))
    alignment, codes = aligned([record(one, one) for one in "bca"], samples)
    assert (alignment.mode, codes) == ("position", [])
    assert texts(alignment) == [None, "b", None, "c", "a", None]
    assert alignment.ambiguous == 2  # a and b fit several samples, c does not


def test_a_prefix_of_the_test_set_aligns_in_order() -> None:
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


def test_records_that_fit_one_sample_come_before_those_that_fit_several() -> None:
    samples = TestSet((
        TestItem(0, "v&&1&&2&&1", Task.TAL, "", aliases=("v&&1&&2&&1", "v&&&&&&1")),
        TestItem(1, "v&&3&&4&&1", Task.TAL, "", aliases=("v&&3&&4&&1", "v&&&&&&1")),
        TestItem(2, "w&&0&&9&&1", Task.TAL, ""),
    ))  # fmt: skip
    records = [record("w&&0&&9&&1", "w"), record("v&&&&&&1.0", "second"),
               record("v&&1.0&&2.0&&1.0", "first")]  # fmt: skip
    alignment, codes = aligned(records, samples)
    assert (alignment.mode, codes, alignment.ambiguous) == ("key", [], 1)
    assert texts(alignment) == ["first", "second", "w"]


def test_captions_of_two_authors_are_distinguished() -> None:
    samples = TestSet(tuple(
        TestItem(index, "v", Task.DENSE_CAPTIONING, "", qa_type)
        for index, qa_type in enumerate(["dense_captioning_gpt", "dense_captioning_gemini"])
    ))  # fmt: skip
    gemini, gpt, dc = (record("v", name, task=Task.DENSE_CAPTIONING) for name in ("m", "g", "?"))
    gemini.qa_type, gpt.qa_type, dc.qa_type = (
        "dense_captioning_gemini",
        "dense_captioning_gpt",
        "dc",
    )
    assert texts(aligned([gemini, gpt], samples)[0]) == ["g", "m"]
    assert texts(aligned([dc, gpt], samples)[0]) == ["g", "?"]
    assert texts(aligned([gpt, dc], samples)[0]) == ["g", "?"]
    assert aligned([gpt, replace(gpt)], samples)[1] == ["surplus_record"]


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


def test_a_question_of_another_sample_with_this_id_is_no_rewording() -> None:
    samples = test_set(("a", Task.TAL, "q1"), ("a", Task.TAL, "q2"))
    records = [record("a", "2", question="q2"), record("a", "1", question="q1")]
    alignment, codes = aligned(records, samples)
    assert (alignment.mode, texts(alignment), codes) == ("key", ["1", "2"], [])


def test_a_test_set_without_questions_finds_no_fault_with_them() -> None:
    samples = test_set(("a", Task.TAL, ""), ("b", Task.TAL, ""))
    records = [record("b", "b", question="q"), record("a", "a", question="q")]
    alignment, codes = aligned(records, samples)
    assert (texts(alignment), alignment.reworded, codes) == (["a", "b"], [], [])


def test_equal_counts_are_reported_by_position() -> None:
    samples = test_set(*((identity, Task.TAL, "") for identity in "abcd"))
    doubled = [record(one, str(place)) for place, one in enumerate("abbd")]
    for place, one in enumerate(doubled):
        one.position, one.path = place, f"$[{place}]"
    problems = Problems()
    align(doubled, samples, problems)
    assert [(one.code, one.path) for one in problems.first] == [("surplus_record", "$[2]")]


def test_records_in_another_order_are_no_mistakes_beside_one_that_is() -> None:
    samples = test_set(*((identity, Task.TAL, "") for identity in "abcd"))
    _, codes = aligned([record(one, one) for one in "bacx"], samples)
    assert codes == ["unknown_id"]


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


@pytest.mark.parametrize("identity", ["v_0_9_1.0", " v&&0&&9&&1.0", "V-0-9-1", "v&&0&&9&&2"])
def test_a_near_id_is_suggested(identity: str) -> None:
    samples = test_set(("v&&0&&9&&1.0", Task.TAL, ""), ("w&&0&&9&&1.0", Task.TAL, ""))
    problems = Problems()
    align([record(identity, "x")], samples, problems)
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
        one.id == item.id or item.index in alignment.foreign_ids
        for one, item in zip(alignment.records, samples.items, strict=True)
        if one is not None
    ]
    assert all(placed)


@pytest.mark.parametrize("count", [0, 1])
def test_small_uploads_align(count: int) -> None:
    alignment, codes = aligned([record("a", "x")] * count, REPEATING)
    assert (alignment.answered, codes) == (count, [])
