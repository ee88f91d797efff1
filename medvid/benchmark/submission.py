"""Records of an upload: which shapes are accepted, what is read of them, and nothing else.

Two shapes, told apart record by record: the submission format (`id`, `qa_type`, `prediction`) and
the inference output format (`metadata`, `qa_type`, `question`, `answer`). Only these fields are
read: ground truth or judge scores inside an upload are never looked at (SPEC 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.clips import METADATA_HINT, canonical, clip_of
from medvid.benchmark.decoding import UNDECODABLE, Document, Element, Limits
from medvid.benchmark.ground_truth import unknown_qa_type
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.shapes import (
    COMMAND,
    answer_fix,
    command,
    is_ours,
    needs_places,
    shape_of,
    text_fields,
    text_in,
)
from medvid.benchmark.tasks import Task, task_of
from medvid.benchmark.test_set import without_video_token

EXAMPLE: Final = '{"id": "video&&0&&100&&1.0", "qa_type": "tal", "prediction": "1.0-2.5 seconds"}'
ANSWER_FIELDS: Final = ("prediction", "answer")
_NUL: Final = "\0"
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(slots=True)
class Record:
    """One well-formed record. `prediction` and `question` are UTF-8; a question may be absent.

    `position` is the place that the file gives it: its index, or its key in an object of records
    keyed "0", "1", …. `qa_type` is as written, `task` what it names.
    """

    position: int
    path: str
    id: str
    task: Task
    qa_type: str
    question: bytes | None
    prediction: bytes

    @property
    def alias(self) -> str:
        """The id in canonical form, in which samples have theirs."""
        return canonical(self.id)


def read_records(document: Document, limits: Limits, problems: Problems) -> list[Record]:
    """Return the well-formed records in order of position; note what is wrong with the others.

    Records of an object come in the order of their keys where all keys are whole numbers (a writer
    may have sorted them as text), else in file order.
    """
    reader = _Reader(limits, problems)
    records: list[Record] = []
    keys: list[str | None] = []
    for element in document.elements(problems):
        record = reader.read(element) if element.value is not UNDECODABLE else None
        if record is not None:
            records.append(record)
            keys.append(element.key)
    numbers = [number_of_key(key) for key in keys]
    if all(number is not None for number in numbers):
        for record, number in zip(records, numbers, strict=True):
            record.position = number if number is not None else record.position
        records.sort(key=lambda record: record.position)
    return records


def number_of_key(key: str | None) -> int | None:
    """Return the whole number that a key writes, zeros before it allowed; None for any other."""
    return int(key) if key is not None and _WHOLE_NUMBER.fullmatch(key) else None


class _Reader:
    """Reads one record after the other, noting problems."""

    def __init__(self, limits: Limits, problems: Problems) -> None:
        self.limits = limits
        self.problems = problems

    def read(self, element: Element) -> Record | None:
        """Return the record, or None where something is wrong with it."""
        value, path, before = element.value, element.path, self.problems.count
        if type(value) is not dict:
            self._refuse_element(path, value)
            return None
        if not is_ours(value) and self._is_foreign(path, value):
            return None
        inference = "id" not in value and "metadata" in value
        answer_field = "answer" if inference else "prediction"
        if element.may_hold_nul:
            self._check_nul(value, path, answer_field)
        identity = self._metadata_id(value, path) if inference else self._id(value, path)
        task = self._task(value, path)
        question = self._question(value, path)
        prediction = self._prediction(value, path, answer_field)
        if (
            identity is None
            or task is None
            or prediction is None
            or self.problems.count > before  # a bad question, or a NUL
        ):
            return None
        return Record(element.index, path, identity, task, value["qa_type"], question, prediction)

    def _is_foreign(self, path: str, value: Mapping[str, object]) -> bool:
        """Note that a record has the layout of another tool, if it has."""
        shape = shape_of(value)
        if shape is not None and not self.problems.counted(Code.WRONG_SHAPE):
            fix = f"Run '{command(value)}'." if text_fields(value) else answer_fix(value, "")
            self._add(Code.WRONG_SHAPE, path, "", f"{shape.name}, {shown(value)}",
                      f"a record such as {EXAMPLE}", fix)  # fmt: skip
        return shape is not None

    def _id(self, value: Mapping[str, object], path: str) -> str | None:
        identity = self._text(value, "id", path)
        return identity if identity is None or self._id_fits(identity, path, ".id") else None

    def _id_fits(self, identity: str, path: str, field: str) -> bool:
        limit = self.limits.id_bytes
        if not identity:
            if not self.problems.counted(Code.EMPTY_FIELD, field):
                self._add(Code.EMPTY_FIELD, path, field, shown(identity), "a sample id",
                          "Copy the id from the test set.")  # fmt: skip
        elif len(identity) > limit or len(identity.encode()) > limit:
            if not self.problems.counted(Code.FIELD_TOO_LONG, field):
                self._add(Code.FIELD_TOO_LONG, path, field, shown(identity),
                          f"at most {limit} bytes", "Copy the id from the test set.")  # fmt: skip
        else:
            return True
        return False

    def _metadata_id(self, value: Mapping[str, object], path: str) -> str | None:
        clip = clip_of(value)
        if clip is not None:
            return clip.id if self._id_fits(clip.id, path, ".metadata") else None
        if not self.problems.counted(Code.MISSING_FIELD, ".metadata"):
            self._add(Code.MISSING_FIELD, path, ".metadata", shown(value["metadata"]),
                      f"an object with {METADATA_HINT}",
                      "Copy metadata from the test set, or give an id instead.")  # fmt: skip
        return None

    def _task(self, value: Mapping[str, object], path: str) -> Task | None:
        qa_type = self._text(value, "qa_type", path)
        if qa_type is None:
            return None
        task = task_of(qa_type)
        if task is None and not self.problems.counted(Code.UNKNOWN_QA_TYPE, ".qa_type"):
            self.problems.add(unknown_qa_type(f"{path}.qa_type", qa_type), ".qa_type")
        return task

    def _question(self, value: Mapping[str, object], path: str) -> bytes | None:
        if value.get("question") is None:
            return None
        question = self._text(value, "question", path)
        return without_video_token(question).encode() if question else None

    def _prediction(self, value: Mapping[str, object], path: str, field: str) -> bytes | None:
        prediction = self._text(value, field, path)
        if prediction is None:
            return None
        encoded = prediction.encode()
        limit = self.limits.prediction_bytes
        if len(encoded) <= limit:
            return encoded
        if not self.problems.counted(Code.FIELD_TOO_LONG, f".{field}"):
            self._add(
                Code.FIELD_TOO_LONG, path, f".{field}",
                f"{len(encoded):,} bytes, {shown(prediction)}",
                f"at most {limit:,} bytes of UTF-8",
                "Cut the text; a model that repeats itself needs a stop token or a token limit.",
            )  # fmt: skip
        return None

    def _text(self, value: Mapping[str, object], name: str, path: str) -> str | None:
        text = value.get(name)
        if type(text) is str:
            return text
        code = Code.WRONG_TYPE if name in value else Code.MISSING_FIELD
        field = f".{name}"
        if self.problems.counted(code, field):
            return None
        if code is Code.WRONG_TYPE:
            self._add(code, path, field, shown(text), "a string", _type_fix(value, name))
        else:
            self._add(code, path, field, shown(value), f"the field {name}",
                      _missing_fix(value, name))  # fmt: skip
        return None

    def _check_nul(self, value: Mapping[str, object], path: str, answer_field: str) -> None:
        for name, field in value.items():
            if _NUL not in name and (name == answer_field or not _holds_nul(field)):
                continue
            place = f".{shown(name)}"
            if not self.problems.counted(Code.NUL_CHARACTER, place):
                self._add(Code.NUL_CHARACTER, path, place, "a NUL character (\\u0000)",
                          "text without NUL", "Remove it; only a prediction may hold one."
                )  # fmt: skip

    def _refuse_element(self, path: str, value: object) -> None:
        if self.problems.counted(Code.NOT_AN_OBJECT):
            return
        fix = f"Write each record as {EXAMPLE}."
        if isinstance(value, list) and value and isinstance(value[0], dict):
            fix = (
                f"The records are inside: run '{command(value[0])}', or write them without the "
                "arrays around them."
            )
        elif isinstance(value, str):
            fix = (
                "These seem to be texts without records. Where they are in test-set order: "
                f"'{command({})}'. Otherwise write each record as {EXAMPLE}."
            )
        self._add(Code.NOT_AN_OBJECT, path, "", shown(value), "a record (object)", fix)

    def _add(self, code: Code, path: str, field: str, found: str, expected: str, fix: str) -> None:
        self.problems.add(Problem(code, path + field, found, expected, fix), field)


def _type_fix(record: Mapping[str, object], name: str) -> str:
    """Return how to cure a field that holds no text."""
    if name == "question":
        return "Write the question as a JSON string, or leave it out."
    if name not in ANSWER_FIELDS:
        return "Copy it from the test set as a JSON string."
    value = record[name]
    if value is None:
        return (
            "Leave out the records without an answer, or run 'medvid convert FILE --failed skip -o "
            "predictions.json.gz' ('--failed empty' keeps them as empty texts)."
        )
    if text_in(value) is not None or isinstance(value, dict):
        return (
            f"Write the text itself as a JSON string; '{COMMAND}' does so where the text is exact."
        )
    return "Write the model's text output as a JSON string."


def _missing_fix(record: Mapping[str, object], name: str) -> str:
    if name in ANSWER_FIELDS:
        return answer_fix(record, name)
    if needs_places(record):
        return (
            f"Write each record as {EXAMPLE}, or take what is missing from the test set: "
            f"'{command(record)}'."
        )
    return f"Write each record as {EXAMPLE}."


def _holds_nul(value: object) -> bool:
    """Look through a decoded value; its depth is bounded by the scan."""
    if isinstance(value, str):
        return _NUL in value
    if isinstance(value, list):
        return any(_holds_nul(part) for part in value)
    if isinstance(value, dict):
        return any(_NUL in name or _holds_nul(part) for name, part in value.items())
    return False
