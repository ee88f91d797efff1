"""The validation report: problems, warnings and the diagnosis by task (SPEC 1).

A `Problem` is an error: the submission is refused. An `Advice` is a warning: the submission is
taken, but its owner should look. Both name what was found and how to fix it. Codes are stable:
clients may branch on them, texts may change.

One wrong field name makes the same problem in thousands of records. So problems are grouped: one
for each code and field, with a count, the first places and what was found there.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal

from medvid.benchmark.tasks import Task

MAX_PROBLEMS: Final = 100
"""How many groups of problems a report lists; the rest is only counted."""
MAX_PLACES: Final = 3
"""How many places, and findings there, a group of problems names."""
MAX_EXAMPLES: Final = 5
"""How many sample indices a warning lists."""
SHOWN_CHARACTERS: Final = 80

_RECORD: Final = re.compile(r'\$\[(?:\d+|"(?:[^"\\]|\\.)*"…?)\]')
"""The record in a path: `$[7]`, `$["key"]`."""

Mode = Literal["position", "key"]
"""What decided which record answers which sample: the order of the file, or the records' keys."""


class Code(StrEnum):
    """Every code a problem or a warning can carry, with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Code:
        """Attach the meaning; the member itself is the plain code."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # The file as a whole.
    EMPTY_FILE = "empty_file", "the file holds nothing"
    FILE_TOO_LARGE = "file_too_large", "the file, unpacked, exceeds the size limit"
    BAD_GZIP = "bad_gzip", "the file begins like gzip but cannot be unpacked"
    INVALID_UTF8 = "invalid_utf8", "the text is not valid UTF-8"
    INVALID_JSON = "invalid_json", "the text is not valid JSON"
    TRAILING_DATA = "trailing_data", "something follows the end of the JSON document"
    NESTED_TOO_DEEP = "nested_too_deep", "arrays and objects are nested too deeply"
    NON_FINITE_NUMBER = "non_finite_number", "NaN or Infinity, which JSON does not have"
    NUMBER_OUT_OF_RANGE = "number_out_of_range", "a number too large for a double"
    LONE_SURROGATE = "lone_surrogate", "half of a UTF-16 surrogate pair, which is no character"
    DUPLICATE_KEY = "duplicate_key", "an object names the same key twice"
    WRONG_SHAPE = "wrong_shape", ("the file, or its records, have another layout than a submission")
    TOO_MANY_RECORDS = "too_many_records", "more records than the limit"
    TOO_MANY_KEYS = "too_many_keys", "more object keys in the whole file than the limit"
    TOO_FEW_RECORDS = "too_few_records", "fewer records than a submission needs"
    RECORD_TOO_LARGE = "record_too_large", "one record exceeds the size limit"

    # One record.
    NOT_AN_OBJECT = "not_an_object", "a record is not a JSON object"
    MISSING_FIELD = "missing_field", "a record lacks a field that it needs"
    WRONG_TYPE = "wrong_type", "a field has the wrong JSON type"
    EMPTY_FIELD = "empty_field", "a field that must have content is empty"
    FIELD_TOO_LONG = "field_too_long", "a text exceeds its length limit"
    NUL_CHARACTER = "nul_character", "a NUL character outside a prediction"
    FAILED_RECORD = "failed_record", "inference failed for a record (only 'medvid convert' says so)"
    UNKNOWN_QA_TYPE = "unknown_qa_type", "a qa_type that the benchmark does not have"

    # Records against the test set.
    UNKNOWN_ID = "unknown_id", "an id that the test set does not have"
    QA_TYPE_MISMATCH = "qa_type_mismatch", "an id of the test set with another qa_type"
    SURPLUS_RECORD = "surplus_record", "more records of one id and qa_type than samples"

    # Ground truth files.
    INVALID_TRUTH = "invalid_truth", "a sample's truth cannot be read"
    INVALID_FPS = "invalid_fps", "a sample's fps is not a finite number above zero"
    UNKNOWN_SOURCE = "unknown_source", "a sample names no source dataset"

    # Names and other entry fields.
    FORBIDDEN_CHARACTER = "forbidden_character", "a control or invisible character in a name"
    LOOKALIKE_CHARACTER = "lookalike_character", "a letter that passes for a Latin one in a name"
    INVALID_URL = "invalid_url", "not an http or https address"

    # Warnings: the submission is taken.
    PARTIAL = "partial", "some samples have no prediction"
    ALIGNED_BY_KEY = "aligned_by_key", "records were matched by id, qa_type and question"
    AMBIGUOUS = "ambiguous", "keys that fit several samples, distinguished by order alone"
    FOREIGN_IDS = "foreign_ids", "ids that the test set does not have, in a file in test-set order"
    QUESTION_MISMATCH = "question_mismatch", "a question differs from the test set's"
    EMPTY_PREDICTIONS = "empty_predictions", "predictions without any text"
    UNPARSABLE = "unparsable", "predictions in which nothing could be parsed"
    LOW_STRUCTURE = "low_structure", "much of the expected structure is missing"
    LIKELY_TRUNCATED = "likely_truncated", "predictions that seem cut off by a token limit"
    CONSTANT = "constant", "most predictions of a task are the same text"
    NORMALISED_BOXES = "normalised_boxes", "boxes within 0-1 where pixels are expected"
    TIMES_IN_FRAMES = "times_in_frames", "times that look like frames instead of seconds"
    TOO_MANY_SEGMENTS = "too_many_segments", "more segments than the clip, or its truth, can hold"
    NOT_A_LABEL = "not_a_label", "next actions that are no label of their source"

    # Warnings: styles of writing that are not read, or not as they are meant.
    REASONING = "reasoning", "reasoning, such as a <think> block, beside the answer"
    UNFINISHED_REASONING = "unfinished_reasoning", "reasoning that never ends: no answer follows"
    ANSWER_TAGS = "answer_tags", "the answer within tags or a LaTeX box"
    CODE_FENCE = "code_fence", "the answer within a Markdown code fence"
    CHAT_TEXT = "chat_text", "chat markers, or words to the user, beside the answer"
    REFUSAL = "refusal", "a refusal or a placeholder such as N/A instead of an answer"
    JSON = "json", "JSON where plain text is read"
    TABLE = "table", "a Markdown table where plain text is read"
    FULL_WIDTH = "full_width", "full-width punctuation where ASCII is read"
    CLOCK_TIMES = "clock_times", "times as mm:ss or H:M:S where seconds are read"
    DATES = "dates", "a date that is read as a segment"
    DECIMAL_COMMAS = "decimal_commas", "decimal commas where points are read"
    DASHES = "dashes", "a dash, minus sign or tilde where a hyphen is read"
    UNITS_BETWEEN_NUMBERS = "units_between_numbers", "a unit between a time and the hyphen"
    RANGE_WORDS = "range_words", "a word or arrow between two times where a hyphen is read"
    BRACKETED_TIMES = "bracketed_times", "a pair of times in brackets where A-B is read"
    LABELLED_TIMES = "labelled_times", "times labelled start and end where A-B is read"
    INVERTED_SEGMENTS = "inverted_segments", "segments that do not end after they start"
    NO_TIMES = "no_times", "a text without any time"
    UNREAD_TIMES = "unread_times", "times in a form that is not read, such as one time alone"
    HEADER_PREFIX = "header_prefix", "bullets, numbers, bold or indentation before DVC headers"
    HEADER_STYLE = "header_style", "DVC headers that are not written 'A-B seconds:'"
    TEMPLATE_TEXT = "template_text", "the prompt's template instead of a description"
    BOX_STYLE = "box_style", "boxes that are not written 'T seconds: [x1, y1, x2, y2]'"
    BOX_TIMES = "box_times", "boxes at other times than the question asks for"
    FRAMES_FOR_SECONDS = "frames_for_seconds", "frames where seconds are read"
    UNORDERED_BOXES = (
        "unordered_boxes",
        "boxes whose second corner is not below and right of the first",
    )
    XYWH_BOXES = "xywh_boxes", "boxes as x, y, width, height where two corners are read"
    PER_MILLE_BOXES = "per_mille_boxes", "boxes on a scale of 0-1000 where pixels are read"
    LINES_FOR_COMMAS = "lines_for_commas", "components or aspects on lines of their own"
    MARKUP = "markup", "bold, bullets or numbers around names and scores"
    NAMES_ALTERED = "names_altered", "names of components or aspects that are spelled otherwise"
    SCORE_STYLE = "score_style", "scores that are not written 'name: N', or 'name: N/5'"
    OTHER_SCALE = "other_scale", "scores on another scale than is asked for"
    UNNAMED_SCORES = "unnamed_scores", "no score with the name of what it rates"
    LABEL_STYLE = "label_style", "an action label with other text around it"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: where it is (JSON path), what was found and expected, how to fix it.

    A group of them has a `count` and its first `places`, of which `path` is the first.
    """

    code: str
    path: str
    found: str
    expected: str
    fix: str
    count: int = 1
    places: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Complete the places."""
        if not self.places:
            object.__setattr__(self, "places", (self.path,))


class Problems:
    """Groups problems by code and field; keeps the first `MAX_PROBLEMS` groups, counts all."""

    def __init__(self) -> None:
        self.count = 0
        self._groups: dict[tuple[str, str], _Group] = {}

    @property
    def first(self) -> list[Problem]:
        """The groups, in the order in which they were found."""
        return [group.problem() for group in self._groups.values()]

    def add(self, problem: Problem, field: str | None = None) -> None:
        """Note one problem, or a group of them; `field` is what follows the record in its path."""
        self.count += problem.count
        key = (problem.code, _field(problem.path) if field is None else field)
        group = self._groups.get(key)
        if group is not None:
            group.add(problem)
        elif not self.full:
            self._groups[key] = _Group(problem)

    def counted(self, code: str, field: str = "") -> bool:
        """Count a problem of which nobody will read the text; False where somebody will.

        Ask before you put a text together: a hostile file has 50,000 problems.
        """
        group = self._groups.get((code, field))
        if group is None:
            self.count += self.full
            return self.full
        if len(group.places) < MAX_PLACES:
            return False
        self.count += 1
        group.count += 1
        return True

    @property
    def full(self) -> bool:
        """Whether new groups are only counted."""
        return len(self._groups) >= MAX_PROBLEMS

    def merge(self, others: Problems, prefix: str = "") -> None:
        """Take over the problems found elsewhere, with `prefix` before their places."""
        for key, group in others._groups.items():
            problem = group.problem()
            places = tuple(prefix + place for place in problem.places)
            moved = replace(problem, path=places[0], places=places)
            mine = self._groups.get(key)
            if mine is not None:
                mine.add(moved)
            elif not self.full:
                self._groups[key] = _Group(moved)
        self.count += others.count


class _Group:
    """Problems of one code and field."""

    __slots__ = ("count", "found", "places", "sample")

    def __init__(self, problem: Problem) -> None:
        self.sample = problem
        self.count = problem.count
        self.places = list(problem.places)
        self.found = [problem.found]

    def add(self, problem: Problem) -> None:
        self.count += problem.count
        self.places += problem.places[: max(MAX_PLACES - len(self.places), 0)]
        if problem.found not in self.found and len(self.found) < MAX_PLACES:
            self.found.append(problem.found)

    def problem(self) -> Problem:
        if self.count == 1:
            return self.sample
        return replace(
            self.sample,
            found="; ".join(self.found),
            count=self.count,
            places=tuple(self.places),
        )


def _field(path: str) -> str:
    """Return a path without the record that it begins with."""
    return _RECORD.sub("", path, count=1) if path.startswith("$[") else path


@dataclass(frozen=True, slots=True)
class Advice:
    """One warning: what, how many, and the indices of a few samples that show it.

    `example` is an excerpt of the first of them, `effect` what it does to the score and `fix` the
    command or change that cures it; each is empty where there is none.
    """

    code: str
    message: str
    count: int
    task: Task | None = None
    examples: tuple[int, ...] = ()
    example: str = ""
    effect: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class TaskDiagnosis:
    """How one task's predictions parse, and how much expected structure they cover.

    `unit` names the structure (boxes, segments, aspects, components, texts); `emitted` counts
    it in the predictions. `required` is what the answered samples ask for and `covered` how much of
    that is present at all; without a truth the questions say what is asked for, and both are None
    where too few samples are answered. `doubtful` counts the predictions that a warning about their
    text is about: they are read, if at all, as something else than is written.

    Of next actions, `exact` are labels as they stand, `by_similarity` take the most similar label,
    and `unchecked` come from a source whose labels are not known here.
    """

    task: Task
    samples: int
    answered: int
    empty: int
    parsed: int
    unit: str
    emitted: int
    required: int | None
    covered: int | None
    doubtful: int = 0
    exact: int | None = None
    by_similarity: int | None = None
    unchecked: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found.

    `mode` is None where nothing was aligned. `samples` is 0 where there was no test set to align
    with; `answered` then counts the well-formed records.
    """

    problems: tuple[Problem, ...]
    problem_count: int
    records: int
    samples: int
    answered: int
    mode: Mode | None
    ambiguous: int
    tasks: tuple[TaskDiagnosis, ...] = ()
    warnings: tuple[Advice, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the submission can be taken."""
        return self.problem_count == 0

    @property
    def coverage(self) -> float:
        """The share of the test set's samples that have a prediction, 0-1."""
        return self.answered / self.samples if self.samples else 0.0

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON-ready data (the API's and `--json`'s shape)."""
        return {
            "ok": self.ok,
            "problem_count": self.problem_count,
            "problems": [asdict(problem) for problem in self.problems],
            "mode": self.mode,
            "records": self.records,
            "samples": self.samples,
            "answered": self.answered,
            "coverage": self.coverage if self.samples else None,
            "ambiguous": self.ambiguous,
            "tasks": [asdict(task) for task in self.tasks],
            "warnings": [asdict(warning) for warning in self.warnings],
        }


def shown(value: object) -> str:
    """Return a short printable form of untrusted content for `Problem.found`.

    Strings are quoted and cut; control, bidirectional and other invisible characters and lone
    surrogates appear escaped, so that the text is safe in a log, a terminal and valid UTF-8.
    """
    if isinstance(value, str):
        cut = value[:SHOWN_CHARACTERS]
        safe = "".join(c if c.isprintable() else _escaped(c) for c in cut)
        return f'"{safe}"' + ("…" if len(value) > SHOWN_CHARACTERS else "")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"number {value!r}" if abs(value) < 1e15 else "a large number"
    if isinstance(value, list):
        return f"array of {len(value)}"
    if isinstance(value, dict):
        keys = ", ".join(shown(key) for key in list(value)[:5])
        return f"object with {keys}" if keys else "empty object"
    return type(value).__name__


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}"
