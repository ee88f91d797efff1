"""Records of an upload: which shapes are accepted, what is read of them, and nothing else.

Two shapes, told apart record by record: the submission format (`id`, `qa_type`, `prediction`) and
the inference output format (`metadata`, `qa_type`, `question`, `answer`). Only these fields are
read: ground truth or judge scores inside an upload are never looked at (SPEC 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.benchmark.clips import METADATA_HINT, canonical, clip_of
from shared.benchmark.decoding import UNDECODABLE, Document, Element, Limits
from shared.benchmark.ground_truth import unknown_qa_type
from shared.benchmark.report import Code, Problem, Problems, shown
from shared.benchmark.tasks import Task, task_of
from shared.benchmark.test_set import without_video_token

EXAMPLE: Final = '{"id": "video&&0&&100&&1.0", "qa_type": "tal", "prediction": "1.0-2.5 seconds"}'
_TYPE_FIXES: Final = {
    "prediction": "Write the model's text output as a JSON string.",
    "answer": "Write the model's text output as a JSON string.",
    "question": "Write the question as a JSON string, or leave it out.",
}
_NUL: Final = "\0"


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
    numbers = [_number(key) for key in keys]
    if all(number is not None for number in numbers):
        for record, number in zip(records, numbers, strict=True):
            record.position = number if number is not None else record.position
        records.sort(key=lambda record: record.position)
    return records


def _number(key: str | None) -> int | None:
    """Return the number that a key like "12" writes; None for any other spelling."""
    if key is None or len(key) > 9 or not (key.isascii() and key.isdigit()):
        return None
    return int(key) if key == "0" or key[0] != "0" else None


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

    def _id(self, value: Mapping[str, object], path: str) -> str | None:
        identity = self._text(value, "id", path)
        return identity if identity is None or self._id_fits(identity, f"{path}.id") else None

    def _id_fits(self, identity: str, path: str) -> bool:
        limit = self.limits.id_bytes
        if not identity:
            self._add(Code.EMPTY_FIELD, path, shown(identity), "a sample id",
                      "Copy the id from the test set.")  # fmt: skip
        elif len(identity) > limit or len(identity.encode()) > limit:
            self._add(Code.FIELD_TOO_LONG, path, shown(identity), f"at most {limit} bytes",
                      "Copy the id from the test set.")  # fmt: skip
        else:
            return True
        return False

    def _metadata_id(self, value: Mapping[str, object], path: str) -> str | None:
        clip = clip_of(value)
        if clip is None:
            self._add(
                Code.MISSING_FIELD,
                f"{path}.metadata",
                shown(value["metadata"]),
                f"an object with {METADATA_HINT}",
                "Copy metadata from the test set, or give an id instead.",
            )
            return None
        return clip.id if self._id_fits(clip.id, f"{path}.metadata") else None

    def _task(self, value: Mapping[str, object], path: str) -> Task | None:
        qa_type = self._text(value, "qa_type", path)
        if qa_type is None:
            return None
        task = task_of(qa_type)
        if task is None:
            self.problems.add(unknown_qa_type(f"{path}.qa_type", qa_type))
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
        if len(encoded) <= self.limits.prediction_bytes:
            return encoded
        self._add(
            Code.FIELD_TOO_LONG,
            f"{path}.{field}",
            f"{len(encoded):,} bytes, {shown(prediction)}",
            f"at most {self.limits.prediction_bytes:,} bytes of UTF-8",
            "Cut the text; a model that repeats itself needs a stop token or a token limit.",
        )
        return None

    def _text(self, value: Mapping[str, object], field: str, path: str) -> str | None:
        text = value.get(field)
        if type(text) is str:
            return text
        if field in value:
            fix = _TYPE_FIXES.get(field, "Copy it from the test set as a JSON string.")
            self._add(Code.WRONG_TYPE, f"{path}.{field}", shown(text), "a string", fix)
        else:
            self._add(Code.MISSING_FIELD, f"{path}.{field}", shown(value), f"the field {field}",
                      f"Write each record as {EXAMPLE}.")  # fmt: skip
        return None

    def _check_nul(self, value: Mapping[str, object], path: str, answer_field: str) -> None:
        for name, field in value.items():
            if _NUL in name or (name != answer_field and _holds_nul(field)):
                self._add(Code.NUL_CHARACTER, f"{path}.{shown(name)}", "a NUL character (\\u0000)",
                          "text without NUL", "Remove it; only a prediction may hold one."
                )  # fmt: skip

    def _refuse_element(self, path: str, value: object) -> None:
        fix = f"Write each record as {EXAMPLE}."
        if isinstance(value, list) and value and isinstance(value[0], dict):
            fix = "Upload this inner array itself: records must stand in the outermost array."
        self._add(Code.NOT_AN_OBJECT, path, shown(value), "a record (object)", fix)

    def _add(self, code: Code, path: str, found: str, expected: str, fix: str) -> None:
        self.problems.add(Problem(code, path, found, expected, fix))


def _holds_nul(value: object) -> bool:
    """Look through a decoded value; its depth is bounded by the scan."""
    if isinstance(value, str):
        return _NUL in value
    if isinstance(value, list):
        return any(_holds_nul(part) for part in value)
    if isinstance(value, dict):
        return any(_NUL in name or _holds_nul(part) for name, part in value.items())
    return False
