"""From a raw record to a draft: the model's text, and what names the sample it answers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from medvid.benchmark.ground_truth import near_qa_type
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.shapes import (
    TEXT_FIELDS,
    TURN_FIELDS,
    Shape,
    answer_fix,
    is_ours,
    named_sample,
    shape_of,
    text_in,
    turn_of,
    value_at,
)
from medvid.benchmark.tasks import Task, task_of
from medvid.cli.conversion.files import Raw, RawFile, is_truth

_FAILED_WORDS: Final = frozenset((
    "error", "errored", "fail", "failed", "failure", "exception", "timeout", "timed_out",
    "cancelled", "canceled", "expired", "oom",
))  # fmt: skip
_FAILURES: Final = ("error", "exception", "error_message")
_NAMES: Final = ("sample_key", "sample_id", "custom_id", "doc_id", "index", "sample_index")
"""Fields that name a sample within a run; never two of one run."""
_READ: Final = frozenset(("id", "metadata", "qa_type", "question", *_NAMES))
_LAST_NUMBER: Final = re.compile(r"[-_:#/]([0-9]{1,9})\Z")
"""What a request's name ends in: batches come back in any order."""
_ASKING: Final = ("human", "user")


@dataclass(slots=True)
class Draft:
    """A record on its way into a submission.

    `fields` hold what names its sample, in our spelling. `number` is its place as the file counts,
    `name` what a run calls the sample, `asked` what the model was asked. `failed` says why there is
    no answer, and is empty where there is one.
    """

    path: str
    fields: dict[str, object]
    text: object
    key: str | None = None
    number: int | None = None
    numbered_by: str = ""
    from_zero: bool = False
    name: str = ""
    asked: str = ""
    failed: str = ""


@dataclass(slots=True)
class FileReading:
    """How a file was read: its layout, the fields with the text, what was left out."""

    name: str
    layout: str = ""
    texts: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    qa_types: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    cut_off: int = 0
    perhaps_truth: int = 0


def drafts_of(
    file: RawFile, answer_field: str | None, problems: Problems
) -> tuple[list[Draft], FileReading]:
    """Return the drafts of a file's records, and how they were read."""
    reading = FileReading(file.name)
    shape = next(
        (found for raw in file.records
         if not is_ours(raw.value) and (found := shape_of(raw.value))), None,
    )  # fmt: skip
    reading.layout = shape.name if shape else ""
    paths = _answer_paths(file.records, answer_field, shape, problems)
    if paths is None:
        return [], reading
    make = _Maker(paths, shape, reading, problems)
    return [make.draft(raw) for raw in file.records], reading


AnswerPaths = Callable[[Mapping[str, object]], Sequence[str]]


def _answer_paths(
    records: Sequence[Raw], answer_field: str | None, shape: Shape | None, problems: Problems
) -> AnswerPaths | None:
    """Return where a record's text is; None, with the problem noted, where that is not clear."""
    if answer_field is not None:
        if any(value_at(raw.value, answer_field) is not None for raw in records):
            return lambda _: (answer_field,)
        _no_such_field(records, answer_field, problems)
        return None
    if shape is not None and shape.answers:
        return lambda _: shape.answers
    rivals = Counter(name for raw in records for name in _rivals(raw.value))
    if rivals:
        _ambiguous(records[0], ["answer", *rivals], problems)
        return None
    found = Counter(name for raw in records for name in _candidates(raw.value))
    chosen = ["prediction"] if "prediction" in found else list(found)
    if len(chosen) > 1:
        _ambiguous(records[0], chosen, problems)
        return None
    if not chosen and not any(_native(raw.value) or _marked_failed(raw.value) for raw in records):
        _no_text(records, problems)
        return None
    return lambda record: _native_first(record, chosen)


def _native(record: Mapping[str, object]) -> str:
    """Return the field that the server reads, empty where the record lacks it."""
    name = "prediction" if "id" in record else "answer" if "metadata" in record else ""
    return name if name in record else ""


def _native_first(record: Mapping[str, object], others: Sequence[str]) -> Sequence[str]:
    native = _native(record)
    return (native,) if native and not _is_nothing(record[native]) else (*others, native)


def _candidates(record: Mapping[str, object]) -> list[str]:
    """Return the fields that may hold the text of a record without the usual field."""
    native = _native(record)
    if native and text_in(record[native]) is not None:
        return []
    return [name for name in TEXT_FIELDS if text_in(record.get(name)) is not None]


def _rivals(record: Mapping[str, object]) -> list[str]:
    """Return the fields beside `answer` of which one may be the model's, the other the truth's."""
    if _native(record) != "answer" or text_in(record["answer"]) is None:
        return []
    return [
        name for name in TEXT_FIELDS
        if name != "answer" and (text := text_in(record.get(name))) is not None
        and text != record["answer"]
    ]  # fmt: skip


def _ambiguous(raw: Raw, names: Sequence[str], problems: Problems) -> None:
    listed = ", ".join(shown(name) for name in dict.fromkeys(names))
    problems.add(Problem(
        Code.WRONG_SHAPE, raw.path, f"several fields with text: {listed}",
        "one field with the model's text",
        "Say which with --answer-field NAME; another may hold the true answer.",
    ))  # fmt: skip


def _no_such_field(records: Sequence[Raw], name: str, problems: Problems) -> None:
    found = shown(records[0].value) if records else "no records"
    problems.add(Problem(
        Code.MISSING_FIELD, f"{records[0].path if records else '$'}.{name}", found,
        f"the field {shown(name)}, which --answer-field names", "Name a field that is there.",
    ))  # fmt: skip


def _no_text(records: Sequence[Raw], problems: Problems) -> None:
    # No record has a text: then none of them is the failed one among others, to be skipped.
    for raw in records:
        if not problems.counted(Code.MISSING_FIELD, ".prediction"):
            problems.add(
                Problem(Code.MISSING_FIELD, f"{raw.path}.prediction", shown(raw.value),
                        "a field with the model's text",
                        answer_fix(raw.value, "prediction", some=False)),
                ".prediction",
            )  # fmt: skip


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _marked_failed(record: Mapping[str, object]) -> str:
    """Return how a record says that it failed, empty where it does not."""
    status = record.get("status", record.get("state"))
    if isinstance(status, str) and status.casefold() in _FAILED_WORDS:
        return f"status {shown(status)}"
    code = value_at(record, "response.status_code")
    if isinstance(code, int) and code >= 400:
        return f"status code {code}"
    return next((f"{name} {_short(record[name])}" for name in _FAILURES if record.get(name)), "")


def _short(value: object) -> str:
    message = value.get("message") if isinstance(value, dict) else None
    return shown(message if isinstance(message, str) else value)


class _Maker:
    """Makes the drafts of one file."""

    def __init__(
        self, paths: AnswerPaths, shape: Shape | None, reading: FileReading, problems: Problems
    ) -> None:
        self._paths = paths
        self._shape = shape
        self._reading = reading
        self._problems = problems

    def draft(self, raw: Raw) -> Draft:
        """Return a record's draft."""
        record = raw.value
        draft = Draft(raw.path, self._named(record), None, raw.key)
        self._number(draft, record)
        draft.asked = self._asked(record)
        path, value = self._found(record)
        text = text_in(value)
        marked = _marked_failed(record)
        if text is None and not _is_nothing(value) and not marked:
            text = self._written(draft, path, value)
        draft.text = text
        if marked and (text is None or not text.strip() or marked.startswith("status")):
            draft.failed, draft.text = marked, None
        elif text is None:
            draft.failed = "NaN" if isinstance(value, float) else "no prediction"
        self._note(draft, record, path)
        return draft

    def _named(self, record: Mapping[str, object]) -> dict[str, object]:
        """Return the fields that name the sample, with the qa_type as the benchmark spells it."""
        names = ["metadata"] if "id" not in record and "metadata" in record else ["id"]
        # A batch's own id names a request, not a sample.
        if self._shape is not None and self._shape.number == "custom_id":
            names = []
        fields = {name: record[name] for name in (*names, "qa_type") if name in record}
        question = record.get("question")
        if isinstance(question, str):
            fields["question"] = question
        self._spell(fields)
        return fields

    def _spell(self, fields: dict[str, object]) -> None:
        qa_type = fields.get("qa_type")
        if isinstance(qa_type, str) and task_of(qa_type) is None:
            near = near_qa_type(qa_type)
            if near and near.replace("_", "") == "".join(filter(str.isalnum, qa_type.casefold())):
                self._reading.qa_types[f"{shown(qa_type)} → {near}"] += 1
                fields["qa_type"] = near

    def _number(self, draft: Draft, record: Mapping[str, object]) -> None:
        name = next((name for name in _NAMES if _is_name(record.get(name))), "")
        if not name:
            return
        draft.name = str(record[name])
        named = named_sample(draft.name)
        if named is not None:
            draft.number, identity, qa_type = named
            draft.fields = {"id": identity, "qa_type": qa_type} | draft.fields
            draft.numbered_by, draft.from_zero = name, True
            self._spell(draft.fields)
        elif draft.name.isascii() and draft.name.isdecimal() and len(draft.name) <= 9:
            draft.number, draft.numbered_by = int(draft.name), name
            draft.from_zero = name == "doc_id"
        elif name in ("sample_id", "custom_id"):
            last = _LAST_NUMBER.search(draft.name)
            if last:
                draft.number, draft.numbered_by = int(last[1]), name

    def _asked(self, record: Mapping[str, object]) -> str:
        question = record.get("question")
        for path in self._shape.questions if self._shape else ():
            value = value_at(record, path)
            question = turn_of(value, _ASKING) if isinstance(value, list) else value
            if isinstance(question, str):
                break
        if not isinstance(question, str):
            question = turn_of(record.get("conversations"), _ASKING)
        return question if isinstance(question, str) else ""

    def _found(self, record: Mapping[str, object]) -> tuple[str, object]:
        path = ""
        for path in self._paths(record):
            value = value_at(record, path)
            if not _is_nothing(value):
                return path, value
        return path, value_at(record, path) if path else None

    def _written(self, draft: Draft, path: str, value: object) -> str | None:
        """Return an object as the text that says the same; note the problem where none does."""
        qa_type = draft.fields.get("qa_type")
        task = task_of(qa_type) if isinstance(qa_type, str) else None
        text = _exact_text(value, task)
        if text is not None:
            self._reading.objects[f"{_object(value)} → {shown(text)}"] += 1
            return text
        place = f".{path}"
        if not self._problems.counted(Code.WRONG_TYPE, place):
            expected = f"a text, such as {shown(_EXAMPLES[task])}" if task else "a text"
            self._problems.add(
                Problem(Code.WRONG_TYPE, draft.path + place, _object(value), expected,
                        "Write the text as the model said it."), place,
            )  # fmt: skip
        return ""

    def _note(self, draft: Draft, record: Mapping[str, object], path: str) -> None:
        reading = self._reading
        top = path.partition(".")[0]
        if draft.text is not None:
            reading.texts[path] += 1
        for name in record:
            if name not in _READ and name != top:
                reading.ignored[name] += 1
        if path in TURN_FIELDS and any(map(is_truth, record)):
            reading.perhaps_truth += 1
        if value_at(record, "response.body.choices.0.finish_reason") == "length":
            reading.cut_off += 1


def _is_name(value: object) -> bool:
    return (isinstance(value, str) and bool(value)) or (
        isinstance(value, int) and not isinstance(value, bool) and value >= 0
    )


def _object(value: object) -> str:
    """Return a short form of a decoded value, with its content where that is short."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key}: {inner}" for key, inner in value.items())
        return "{" + shown(inside)[1:-1].removesuffix('"') + "}"
    return shown(value)


_EXAMPLES: Final[Mapping[Task, str]] = {
    Task.TAL: "1.0-2.5 seconds",
    Task.STG: "8.0 seconds: [10, 20, 110, 220]",
    Task.DENSE_CAPTIONING: "1.0-2.5 seconds: The scissors cut.",
    Task.NEXT_ACTION: "cutting",
    Task.CVS_ASSESSMENT: "Two structures: 1, Cystic plate: 0, Hepatocystic triangle: 2",
    Task.VIDEO_SUMMARY: "The surgeon cuts.",
    Task.REGION_CAPTION: "A grasper.",
    Task.SKILL_ASSESSMENT: "Respect for tissue: 3/5, Time and motion: 4/5",
}
_COMPONENTS: Final = ("Two structures", "Cystic plate", "Hepatocystic triangle")
_ASPECTS: Final = (
    "Respect for tissue", "Suture/needle handling", "Time and motion", "Flow of operation",
    "Overall performance", "Quality of final product",
)  # fmt: skip


def _exact_text(value: object, task: Task | None) -> str | None:
    """Return scores by component or aspect as text; None where no text says exactly the same."""
    if not isinstance(value, dict) or not value:
        return None
    if task is Task.CVS_ASSESSMENT:
        return _scores(value, _COMPONENTS, "")
    if task is Task.SKILL_ASSESSMENT:
        return _scores(value, _ASPECTS, "/5")
    return None


def _scores(value: Mapping[str, object], names: Sequence[str], of: str) -> str | None:
    plain = {_plain(name): name for name in names}
    parts: list[str] = []
    for key, score in value.items():
        name = plain.get(_plain(key))
        if name is None or type(score) is not int or not 0 <= score <= 9:
            return None
        parts.append(f"{name}: {score}{of}")
    return ", ".join(parts)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def truths(reading: FileReading) -> list[str]:
    """Return the ignored fields that hold true answers by their names."""
    return [name for name in reading.ignored if is_truth(name)]
