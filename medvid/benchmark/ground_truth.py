"""Ground truth: the private test set, parsed once, versioned by its content (SPEC 1)."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from medvid.benchmark.clips import METADATA_HINT, clip_of
from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS, UNDECODABLE, RefusedFile, decode
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.tasks import QA_TYPES, Task, task_of
from medvid.benchmark.test_set import without_video_token

_REFERENCE_TASKS: Final = (Task.NEXT_ACTION, Task.VIDEO_SUMMARY, Task.REGION_CAPTION)
_WORDS: Final = re.compile(r"[a-z0-9]+")
ASKING: Final = ("human", "user")
ANSWERING: Final = ("gpt", "assistant")


@dataclass(frozen=True, slots=True)
class Sample:
    """One test sample with its truth.

    `truth` is the record's `struc_info` as loaded (its shape differs by task); read it through
    `medvid.benchmark.truth`. `question` has its leading `<video>` token and white space removed.
    `aliases` are the canonical ids that name the sample, `clip_seconds` its clip's length where
    that is known.
    """

    index: int
    id: str
    qa_type: str
    task: Task
    source: str
    question: str
    reference: str
    fps: float
    truth: object
    video_id: str = ""
    aliases: tuple[str, ...] = ()
    clip_seconds: float | None = None


@dataclass(frozen=True)
class GroundTruth:
    """A whole test set; `version` is the SHA-256 (hex) of the unpacked file."""

    samples: tuple[Sample, ...]
    version: str

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)


class InvalidGroundTruth(ValueError):
    """The file is no ground truth; `problems` holds groups, `problem_count` counts all."""

    KIND = "ground truth"

    def __init__(self, problems: tuple[Problem, ...], problem_count: int) -> None:
        first = problems[0]
        super().__init__(
            f"{problem_count} problem(s) in the {self.KIND}; the first: {first.code} at "
            f"{first.path}: found {first.found}, expected {first.expected}"
        )
        self.problems = problems
        self.problem_count = problem_count

    def __reduce__(self) -> tuple[type[InvalidGroundTruth], tuple[tuple[Problem, ...], int]]:
        """Pickle with the constructor's arguments, for process pools."""
        return type(self), (self.problems, self.problem_count)


def load_ground_truth(data: bytes) -> GroundTruth:
    """Read a ground truth file (plain or gzip JSON bytes).

    Raises `InvalidGroundTruth` with every problem found: unreadable JSON, missing metadata,
    unknown qa_type, bad fps, no source, no reference answer where it is the truth.
    """
    problems = Problems()
    samples: list[Sample] = []
    version = ""
    try:
        document = decode(data, GROUND_TRUTH_LIMITS)
        version = hashlib.sha256(document.content).hexdigest()
        for element in document.elements(problems):
            if element.value is not UNDECODABLE:
                sample = _sample(element.index, element.path, element.value, problems)
                samples += [sample] if sample else []
    except RefusedFile as refused:
        problems.add(refused.problem)
    if not samples and not problems.count:
        problems.add(
            Problem(Code.EMPTY_FILE, "$", "no records", "one record a sample", "Load the test set.")
        )
    if problems.count:
        raise InvalidGroundTruth(tuple(problems.first), problems.count)
    return GroundTruth(tuple(samples), version)


def _sample(index: int, path: str, record: object, problems: Problems) -> Sample | None:
    if not isinstance(record, dict):
        problems.add(
            Problem(Code.NOT_AN_OBJECT, path, shown(record), "a record (object)", "Correct it.")
        )
        return None
    before = problems.count
    metadata = record.get("metadata")
    clip = clip_of(record)
    if clip is None or not clip.has_window:
        problems.add(missing(f"{path}.metadata", metadata, METADATA_HINT))
    qa_type = record.get("qa_type")
    task = task_of(qa_type) if isinstance(qa_type, str) else None
    if task is None:
        problems.add(unknown_qa_type(f"{path}.qa_type", qa_type))
    source = record.get("data_source") or record.get("dataset_name")
    if not isinstance(source, str):
        problems.add(
            Problem(Code.UNKNOWN_SOURCE, f"{path}.data_source", shown(source),
                    "the name of a source dataset", "Add data_source to the record.")
        )  # fmt: skip
    fps = _fps(metadata, path, problems)
    question, reference = said(record, ASKING), said(record, ANSWERING)
    if task in _REFERENCE_TASKS and reference is None:
        problems.add(missing(f"{path}.conversations", record.get("conversations"), "an answer"))
    if problems.count > before or clip is None or task is None or fps is None:
        return None
    own = record.get("id")
    sample = Sample(
        index=index,
        id=own if isinstance(own, str) and own else clip.id,
        qa_type=str(qa_type),
        task=task,
        source=str(source),
        question=without_video_token(question or ""),
        reference=reference or "",
        fps=fps,
        truth=record.get("struc_info"),
        video_id=clip.video_id,
        aliases=clip.aliases,
        clip_seconds=clip.seconds,
    )
    return sample if _truth_is_readable(sample, path, problems) else None


def _truth_is_readable(sample: Sample, path: str, problems: Problems) -> bool:
    # Not at the top: truth reads samples, which this module defines.
    from medvid.benchmark import truth

    try:
        truth.check(sample)
    except ValueError as error:
        problems.add(
            Problem(Code.INVALID_TRUTH, path, shown(str(error))[1:-1],
                    f"the truth of a {sample.task} sample", "Correct the record.")
        )  # fmt: skip
        return False
    return True


def _fps(metadata: object, path: str, problems: Problems) -> float | None:
    """Return the frame rate; a missing one is part of the metadata problem already noted."""
    value = metadata.get("fps") if isinstance(metadata, dict) else None
    if value is None:
        return None
    try:
        fps = float(value)
    except (TypeError, ValueError):
        fps = math.nan
    if math.isfinite(fps) and fps > 0:
        return fps
    problems.add(
        Problem(Code.INVALID_FPS, f"{path}.metadata.fps", shown(value),
                "a finite number above 0", "Give the frame rate of the sampled video.")
    )  # fmt: skip
    return None


def said(record: Mapping[str, object], speakers: tuple[str, ...]) -> str | None:
    """Return the first text one of `speakers` says in the record's conversations."""
    turns = record.get("conversations")
    for turn in turns if isinstance(turns, list) else ():
        if isinstance(turn, dict) and turn.get("from") in speakers:
            value = turn.get("value")
            return value if isinstance(value, str) else None
    return None


def missing(path: str, found: object, expected: str) -> Problem:
    """Return the problem of a record that lacks something."""
    return Problem(Code.MISSING_FIELD, path, shown(found), expected, "Complete the record.")


def unknown_qa_type(path: str, found: object) -> Problem:
    """Return the problem of a qa_type that names no task."""
    near = near_qa_type(found)
    fix = f"Did you mean {shown(near)}?" if near else "Copy the qa_type from the test set."
    if near and isinstance(found, str) and "_".join(_WORDS.findall(found.casefold())) == near:
        fix += " 'medvid convert FILE -o predictions.json.gz' writes it so."
    return Problem(
        Code.UNKNOWN_QA_TYPE,
        path,
        shown(found),
        f"one of {', '.join(QA_TYPES)}",
        fix,
    )


def near_qa_type(found: object) -> str:
    """Return the qa_type that a text seems to mean; empty where none is near."""
    if not isinstance(found, str):
        return ""
    plain = "_".join(_WORDS.findall(found.casefold()[:100]))
    return plain if plain in QA_TYPES else next(iter(get_close_matches(plain, QA_TYPES, 1)), "")
