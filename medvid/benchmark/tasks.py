"""The benchmark's vocabulary: tasks, qa_types, sources, metrics and judge aspects (SPEC 1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

Scoring = Literal["compat", "strict"]
SCORINGS: Final[tuple[Scoring, ...]] = ("compat", "strict")

Board = Literal["community", "official"]
BOARDS: Final[tuple[Board, ...]] = ("official", "community")

Ranking = Literal["competition", "dense"]
RANKINGS: Final[tuple[Ranking, ...]] = ("competition", "dense")
"""How equal values share ranks within a column: 1, 2, 2, 4 or 1, 2, 2, 3."""

SOURCES: Final = (
    "AVOS",
    "CholecT50",
    "CholecTrack20",
    "Cholec80_CVS",
    "CoPESD",
    "EgoSurgery",
    "NurViD",
    "JIGSAWS",
)


class Task(StrEnum):
    """A benchmark task; its value is the qa_type without the `_gpt`/`_gemini` suffix."""

    TAL = "tal"
    STG = "stg"
    DENSE_CAPTIONING = "dense_captioning"
    NEXT_ACTION = "next_action"
    CVS_ASSESSMENT = "cvs_assessment"
    VIDEO_SUMMARY = "video_summary"
    REGION_CAPTION = "region_caption"
    SKILL_ASSESSMENT = "skill_assessment"


CAPTION_TASKS: Final = (Task.DENSE_CAPTIONING, Task.VIDEO_SUMMARY, Task.REGION_CAPTION)
_AUTHORS: Final = ("gpt", "gemini")
_TASKS_BY_QA_TYPE: Final = (
    {task.value: task for task in Task}
    | {f"{task}_{author}": task for task in CAPTION_TASKS for author in _AUTHORS}
    | {"dc": Task.DENSE_CAPTIONING}
)
QA_TYPES: Final = tuple(_TASKS_BY_QA_TYPE)


def task_of(qa_type: str) -> Task | None:
    """Return the task a qa_type names, or None where it names none.

    Suffixes `_gpt` and `_gemini` are dropped and `dc` is an alias.
    """
    return _TASKS_BY_QA_TYPE.get(qa_type)


def author_of(qa_type: str) -> str:
    """Return who wrote the references of a caption qa_type, `gpt` or `gemini`; empty if unsaid."""
    _, _, suffix = qa_type.rpartition("_")
    return suffix if suffix in _AUTHORS else ""


def same_qa_type(one: str, other: str) -> bool:
    """Return whether two qa_types of one task agree: unless both name an author, and differ."""
    author, expected = author_of(one), author_of(other)
    return author == expected or not author or not expected


@dataclass(frozen=True, slots=True)
class Metric:
    """One leaderboard column; `step` 1 is computed by the scorer, 2 by the judge."""

    key: str
    label: str
    task: Task
    step: Literal[1, 2]
    minimum: float
    maximum: float
    description: str


METRICS: Final = (
    Metric("cvs_acc", "CVS_acc", Task.CVS_ASSESSMENT, 1, 0, 1,
           "Critical view of safety: share of component scores that are exact"),
    Metric("nap_acc", "NAP_acc", Task.NEXT_ACTION, 1, 0, 1,
           "Next action prediction: share of samples with the right action"),
    Metric("sa_acc", "SA_acc", Task.SKILL_ASSESSMENT, 1, 0, 1,
           "Surgical skill: share of aspect scores that are exact"),
    Metric("stg_miou", "STG_mIoU", Task.STG, 1, 0, 1,
           "Spatiotemporal grounding: mean box IoU over the true time points"),
    Metric("tag_miou_03", "TAG_mIoU@0.3", Task.TAL, 1, 0, 1,
           "Temporal action grounding: mean IoU of the pairs matched at 0.3"),
    Metric("tag_miou_05", "TAG_mIoU@0.5", Task.TAL, 1, 0, 1,
           "Temporal action grounding: mean IoU of the pairs matched at 0.5"),
    Metric("dvc_f1", "DVC_F1", Task.DENSE_CAPTIONING, 1, 0, 1,
           "Dense video captioning: F1 of the segments in time"),
    Metric("dvc_llm", "DVC_llm", Task.DENSE_CAPTIONING, 2, 1, 5,
           "Dense video captioning: judged quality of the matched captions"),
    Metric("vs_llm", "VS_llm", Task.VIDEO_SUMMARY, 2, 1, 5,
           "Video summary: judged quality"),
    Metric("rc_llm", "RC_llm", Task.REGION_CAPTION, 2, 1, 5,
           "Region caption: judged quality"),
)  # fmt: skip
METRIC_KEYS: Final = tuple(metric.key for metric in METRICS)
RULE_METRIC_KEYS: Final = tuple(metric.key for metric in METRICS if metric.step == 1)
JUDGE_METRIC_KEYS: Final = tuple(metric.key for metric in METRICS if metric.step == 2)
PUBLISHED: Final = "published"
"""The series of judged values whose judge is not recorded; others are named by judge version."""

ASPECTS: Final = {
    "R2": "relevance and medical terminology",
    "R4": "actionable surgical actions",
    "R5": "comprehensive detail level",
    "R7": "anatomical and instrument precision",
    "R8": "clinical context and coherence",
}
