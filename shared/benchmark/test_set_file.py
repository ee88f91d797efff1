"""Reading a public test-set file: samples without truth, for validation outside the server."""

from __future__ import annotations

from shared.benchmark.decoding import GROUND_TRUTH_LIMITS, UNDECODABLE, Element, Refused, decode
from shared.benchmark.ground_truth import (
    ASKING,
    InvalidGroundTruth,
    missing,
    said,
    sample_id,
    unknown_qa_type,
)
from shared.benchmark.report import Code, Problem, Problems, shown
from shared.benchmark.tasks import task_of
from shared.benchmark.test_set import TestItem, TestSet, normalised_question


class InvalidTestSet(InvalidGroundTruth):
    """The file is no test set."""

    KIND = "test set"


def load_test_set(data: bytes) -> TestSet:
    """Read a test set from JSON (plain or gzip): records with `id` (or `metadata`) and `qa_type`.

    The question is read from `question` or `conversations` where there is one; all else, answers
    included, is ignored. Raises `InvalidTestSet` with every problem found.
    """
    problems = Problems()
    items: list[TestItem] = []
    try:
        for element in decode(data, GROUND_TRUTH_LIMITS).elements(problems):
            item = None if element.value is UNDECODABLE else _item(element, problems)
            items += [item] if item else []
    except Refused as refused:
        problems.add(refused.problem)
    if not items and not problems.count:
        problems.add(
            Problem(Code.EMPTY_FILE, "$", "no records", "one record a sample", "Give the test set.")
        )
    if problems.count:
        raise InvalidTestSet(tuple(problems.first), problems.count)
    return TestSet(tuple(items))


def _item(element: Element, problems: Problems) -> TestItem | None:
    record, path = element.value, element.path
    if not isinstance(record, dict):
        problems.add(
            Problem(Code.NOT_AN_OBJECT, path, shown(record), "a record (object)", "Correct it.")
        )
        return None
    metadata, qa_type = record.get("metadata"), record.get("qa_type")
    identity = record.get("id") or (sample_id(metadata) if isinstance(metadata, dict) else None)
    task = task_of(qa_type) if isinstance(qa_type, str) else None
    if not isinstance(identity, str):
        problems.add(missing(path, record, "an id, or metadata that makes one"))
    if task is None:
        problems.add(unknown_qa_type(f"{path}.qa_type", qa_type))
    question = record.get("question") or said(record, ASKING) or ""
    if not isinstance(identity, str) or task is None:
        return None
    return TestItem(element.index, identity, task, normalised_question(str(question)))
