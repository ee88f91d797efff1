"""A file of pairs that humans scored: JSON lines.

A line is one pair: `prediction`, `reference`, `qa_type`, and `scores`, one object of five aspects
or a list of them, one a rater. A line that also has `judge` (scores given earlier) is not judged
again.
"""

from __future__ import annotations

from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS, task_of
from medvid.judging.verdicts import is_valid
from services.operate.calibration import LabelledPair
from shared.runtime.errors import InvalidInput

_SHOWN_PROBLEMS: Final = 10


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    prediction: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    qa_type: str
    scores: dict[str, int] | list[dict[str, int]]
    judge: dict[str, int] | None = None


def read_labelled(content: bytes) -> list[LabelledPair]:
    """Read a labelled file; raises InvalidInput that names the lines that are wrong."""
    pairs, problems = [], []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            pairs.append(_read_line(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            problems.append(f"line {number}: {where}: {first['msg']}")
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        shown = "\n".join(problems[:_SHOWN_PROBLEMS])
        raise InvalidInput(f"{len(problems)} lines cannot be read:\n{shown}")
    return pairs


def _read_line(line: bytes) -> LabelledPair:
    content = orjson.loads(line)
    if not isinstance(content, dict):
        raise ValueError("this is no JSON object")  # noqa: TRY004 - as of any wrong line
    found = _Line.model_validate(content)
    humans = found.scores if isinstance(found.scores, list) else [found.scores]
    if task_of(found.qa_type) not in CAPTION_TASKS:
        raise ValueError(f"{found.qa_type} is no caption task")
    if not humans or not all(map(is_valid, [*humans, *filter(None, [found.judge])])):
        raise ValueError(f"scores must be whole numbers from 1 to 5 for {', '.join(ASPECTS)}")
    return LabelledPair(
        found.prediction, found.reference, found.qa_type, tuple(humans), found.judge
    )
