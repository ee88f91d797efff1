"""What the page about the benchmark tells, taken from where the system itself reads it.

Metrics, scorings and the ranking rule are the API's own; the rubric is the file that the judge is
given; the examples of formats are read by the benchmark's parsers in a test.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from medvid.benchmark.tasks import CAPTION_TASKS, Scoring, Task
from medvid.models.boards import COLUMNS, Column

_DIGEST_CHARACTERS: Final = 12

SCORING_MEANINGS: Final[dict[Scoring, str]] = {
    "compat": "Reproduces the published evaluator, so that numbers can be held against the paper.",
    "strict": (
        "Closes its loopholes: every expected item counts, and what is missing, unreadable or "
        "surplus counts against the model."
    ),
}


@dataclass(frozen=True, slots=True)
class TaskGuide:
    """A task: what is asked, how an answer is written, which columns it fills."""

    task: Task
    name: str
    asks: str
    example: str
    note: str

    @property
    def columns(self) -> list[Column]:
        """Return the columns that the task fills."""
        return [column for column in COLUMNS if column.task == self.task]

    @property
    def qa_types(self) -> list[str]:
        """Return the names that records of the task may have."""
        if self.task in CAPTION_TASKS:
            return [f"{self.task}_gpt", f"{self.task}_gemini"]
        return [self.task.value]


GUIDES: Final = (
    TaskGuide(
        Task.CVS_ASSESSMENT,
        "Critical view of safety",
        "Score the three components of the critical view of safety, 0 to 2 each.",
        "Two structures: 2, Cystic plate: 1, Hepatocystic triangle: 0",
        "Components separated by commas; upper and lower case are the same.",
    ),
    TaskGuide(
        Task.NEXT_ACTION,
        "Next action prediction",
        "Name the action that comes next.",
        "clipping-and-cutting",
        "The label itself. Compat takes the nearest label for any other text; strict does not.",
    ),
    TaskGuide(
        Task.SKILL_ASSESSMENT,
        "Surgical skill",
        "Score six aspects of skill, 1 to 5 each.",
        "Respect for tissue: 4/5, Suture/needle handling: 3/5, Time and motion: 4/5, "
        "Flow of operation: 4/5, Overall performance: 4/5, Quality of final product: 3/5",
        "Aspects separated by commas, each with its score of five.",
    ),
    TaskGuide(
        Task.STG,
        "Spatiotemporal grounding",
        "Follow an object: its box at each second asked for.",
        "8.0 seconds: [120, 80, 340, 260], 9.0 seconds: [124, 82, 342, 258]",
        "Boxes are x1, y1, x2, y2 in pixels.",
    ),
    TaskGuide(
        Task.TAL,
        "Temporal action grounding",
        "Say when an action happens.",
        "12.0-34.5 seconds, 58.0-61.0 seconds",
        "Seconds from the beginning of the clip.",
    ),
    TaskGuide(
        Task.DENSE_CAPTIONING,
        "Dense video captioning",
        "Cut the clip into steps and describe each.",
        "0.0-12.5 seconds: The grasper lifts the gallbladder.\n"
        "12.5-31.0 seconds: The hook opens the peritoneum.",
        "One line for each step, with its times in seconds.",
    ),
    TaskGuide(
        Task.VIDEO_SUMMARY,
        "Video summary",
        "Summarise the clip: its course, steps and purpose.",
        "The surgeon exposes the cystic duct and artery, clips both and divides them.",
        "Free text.",
    ),
    TaskGuide(
        Task.REGION_CAPTION,
        "Region caption",
        "Describe what happens in one marked region of the picture.",
        "The hook electrode separates the gallbladder from the liver bed.",
        "Free text.",
    ),
)


@dataclass(frozen=True, slots=True)
class RubricAspect:
    """An aspect that the judge scores; `levels` say what 1 to 5 stand for."""

    code: str
    title: str
    question: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownRubric:
    """The rubric as readers see it; `version` is what judged entries name."""

    version: str
    instructions: tuple[str, ...]
    aspects: tuple[RubricAspect, ...]


@cache
def shown_rubric() -> ShownRubric:
    """Return the newest rubric, read from the judge's data (no code of its room is used)."""
    folder = files("medvid.judging") / "rubrics"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    content = (folder / names[-1]).read_bytes()
    data = tomllib.loads(content.decode())
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]
    return ShownRubric(
        version=f"{names[-1].removesuffix('.toml')}+{digest}",
        instructions=tuple(
            " ".join(part.split()) for part in data["instructions"].strip().split("\n\n")
        ),
        aspects=tuple(
            RubricAspect(code, aspect["title"], aspect["question"], tuple(aspect["levels"]))
            for code, aspect in data["aspects"].items()
        ),
    )
