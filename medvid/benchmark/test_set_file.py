"""Reading a public test-set file: samples without truth, for validation outside the server."""

from __future__ import annotations

from medvid.benchmark.clips import METADATA_HINT, clip_of
from medvid.benchmark.decoding import (
    GROUND_TRUTH_LIMITS,
    UNDECODABLE,
    Element,
    RefusedFile,
    decode,
)
from medvid.benchmark.ground_truth import (
    ASKING,
    InvalidGroundTruth,
    missing,
    said,
    unknown_qa_type,
)
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.tasks import task_of
from medvid.benchmark.test_set import TestItem, TestSet, without_video_token


class InvalidTestSet(InvalidGroundTruth):
    """The file is no test set."""

    KIND = "test set"


def load_test_set(data: bytes) -> TestSet:
    """Read a test set from JSON (plain or gzip): records with `qa_type`, and `id` or `metadata`.

    The source is read from `data_source` or `dataset_name`, the question from `question` or
    `conversations`, where there is one; all else, answers included, is ignored. Raises
    `InvalidTestSet` with every problem found.
    """
    problems = Problems()
    items: list[TestItem] = []
    try:
        for element in decode(data, GROUND_TRUTH_LIMITS).elements(problems):
            item = None if element.value is UNDECODABLE else _item(element, problems)
            items += [item] if item else []
    except RefusedFile as refused:
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
    own, qa_type = record.get("id"), record.get("qa_type")
    clip = clip_of(record)
    identity = own if isinstance(own, str) and own else clip.id if clip else ""
    task = task_of(qa_type) if isinstance(qa_type, str) else None
    if not identity:
        problems.add(missing(path, record, f"an id, or metadata with {METADATA_HINT}"))
    if task is None:
        problems.add(unknown_qa_type(f"{path}.qa_type", qa_type))
    if not identity or task is None:
        return None
    source = record.get("data_source") or record.get("dataset_name")
    return TestItem(
        index=element.index,
        id=identity,
        task=task,
        question=without_video_token(str(record.get("question") or said(record, ASKING) or "")),
        qa_type=str(qa_type),
        source=source if isinstance(source, str) else "",
        aliases=clip.aliases if clip else (),
        clip_seconds=clip.seconds if clip else None,
    )
