"""A page about each metric: definition, formula, how compat and strict differ, a worked example.

The texts and the examples' scores stand in `data/metrics.toml`; a test scores every example with
the benchmark's own code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from medvid.benchmark.tasks import ASPECTS, Task
from medvid.models.boards import COLUMNS, Column
from services.gateway.pages.about import GUIDES, TaskGuide

Scores = Sequence[float | str]
"""Compat and strict; of a judged metric the one value; a text says that the sample has none."""


@dataclass(frozen=True, slots=True)
class ExampleSample:
    """An invented sample with a prediction; `scores` by metric, of this sample alone.

    `truth` is the record's `struc_info` where the reference does not say it all. `verdicts` are
    what a judge may give each pair of captions.
    """

    task: Task
    source: str
    question: str
    reference: str
    prediction: str
    scores: Mapping[str, Scores]
    truth: Mapping[str, Any] | None = None
    verdicts: Sequence[Mapping[str, int]] = ()

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> ExampleSample:
        """Read a sample of the file."""
        return cls(**{**written, "task": Task(written["task"])})


@dataclass(frozen=True, slots=True)
class MetricGuide:
    """What the page of a metric says; `total` are its scores over all samples of the example."""

    column: Column
    definition: str
    formula: str
    compat: str
    strict: str
    samples: Sequence[ExampleSample]
    total: Scores

    @property
    def guide(self) -> TaskGuide:
        """What is said of its task."""
        return next(guide for guide in GUIDES if guide.task == self.column.task)

    @property
    def aspects(self) -> Mapping[str, str]:
        """What a judge looks at, by the aspect's code; nothing where none judges."""
        return ASPECTS if self.column.step == 2 else {}


@cache
def metric_guides() -> Mapping[str, MetricGuide]:
    """Return what is said of each metric, in the order of the columns."""
    written = tomllib.loads(files(__package__).joinpath("data/metrics.toml").read_text("utf-8"))
    samples = [ExampleSample.of(each) for each in written["samples"]]
    return {
        column.key: MetricGuide(
            column=column,
            samples=[each for each in samples if each.task == column.task],
            total=written["totals"][column.key],
            **written["metrics"][column.key],
        )
        for column in COLUMNS
    }
