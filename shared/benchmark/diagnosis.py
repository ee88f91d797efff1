"""The diagnosis of an aligned submission: what parses, what is covered, what looks wrong.

Outputs cut off by a token limit pass every format check and then score near zero; this says so
before anything is scored. Without ground truth it still counts what parses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from shared.benchmark.reading import UNITS, Reading, read
from shared.benchmark.report import MAX_EXAMPLES, Advice, Code, TaskDiagnosis
from shared.benchmark.tasks import Task
from shared.benchmark.test_set import TestSet

LOW_STRUCTURE_SHARE: Final = 0.8
"""Below this share of the expected structure a task gets a warning."""
SUSPICIOUS_SHARE: Final = 0.05
"""From this share of a task's answers on, cut-off ones are more than chance."""
CUT_TEXT_SHARE: Final = 0.2
"""The same for free text, where ending without a full stop proves less."""
MOST_SHARE: Final = 0.5
"""A majority: constants and wrong scales are faults of the whole task."""
MIN_ANSWERS: Final = 10
"""Fewer answers show no pattern."""

_SCALE_ADVICE: Final = {
    Task.STG: (Code.NORMALISED_BOXES, "hold boxes within 0-1: multiply by the frame's size"),
    Task.TAL: (Code.TIMES_IN_FRAMES, "hold times far behind the clip's end: write seconds"),
    Task.DENSE_CAPTIONING: (
        Code.TIMES_IN_FRAMES, "hold times far behind the clip's end: write seconds"
    ),
}  # fmt: skip


@dataclass(slots=True)
class _Tally:
    """One task's counts, with the sample indices behind each suspicion."""

    task: Task
    samples: int = 0
    answered: int = 0
    parsed: int = 0
    emitted: int = 0
    required: int = 0
    covered: int = 0
    empty: list[int] = field(default_factory=list)
    unparsable: list[int] = field(default_factory=list)
    incomplete: list[int] = field(default_factory=list)
    cut_off: list[int] = field(default_factory=list)
    wrong_scale: list[int] = field(default_factory=list)
    texts: Counter[int] = field(default_factory=Counter)
    references: Counter[str] = field(default_factory=Counter)
    first_of_text: dict[int, int] = field(default_factory=dict)

    def add(self, index: int, text: str, reading: Reading) -> None:
        """Count one answered sample."""
        self.answered += 1
        stripped = text.strip()
        digest = hash(stripped)  # within one process only; texts themselves would cost memory
        self.texts[digest] += 1
        self.first_of_text.setdefault(digest, index)
        if not stripped:
            self.empty.append(index)
        elif not reading.emitted:
            self.unparsable.append(index)
        self.parsed += reading.emitted > 0
        self.emitted += reading.emitted
        self.required += reading.required or 0
        self.covered += reading.covered or 0
        if reading.emitted and (reading.covered or 0) < (reading.required or 0):
            self.incomplete.append(index)
        if reading.cut_off:
            self.cut_off.append(index)
        if reading.wrong_scale:
            self.wrong_scale.append(index)

    def diagnosis(self, *, with_truth: bool) -> TaskDiagnosis:
        """Return the counts as the report gives them."""
        return TaskDiagnosis(
            task=self.task,
            samples=self.samples,
            answered=self.answered,
            empty=len(self.empty),
            parsed=self.parsed,
            unit=UNITS[self.task],
            emitted=self.emitted,
            required=self.required if with_truth else None,
            covered=self.covered if with_truth else None,
        )

    def advice(self, *, with_truth: bool) -> Iterable[Advice]:
        """Yield what the owner should look at."""
        if self.empty:
            yield self._advice(Code.EMPTY_PREDICTIONS, "predictions hold no text", self.empty)
        if self.unparsable:
            message = f"predictions hold no {UNITS[self.task]} that can be read"
            yield self._advice(Code.UNPARSABLE, message, self.unparsable)
        if with_truth and self.covered < LOW_STRUCTURE_SHARE * self.required:
            yield self._low_structure()
        share = CUT_TEXT_SHARE if UNITS[self.task] == "texts" else SUSPICIOUS_SHARE
        if self._many(len(self.cut_off), share):
            message = "predictions seem cut off; raise the token limit of the model's output"
            yield self._advice(Code.LIKELY_TRUNCATED, message, self.cut_off)
        if self.task in _SCALE_ADVICE and len(self.wrong_scale) > MOST_SHARE * max(self.parsed, 1):
            code, message = _SCALE_ADVICE[self.task]
            yield self._advice(code, f"predictions {message}", self.wrong_scale)
        yield from self._constant()

    def _low_structure(self) -> Advice:
        unit = UNITS[self.task]
        message = (
            f"predictions lack some of the expected {unit}: {self.covered:,} of "
            f"{self.required:,} are there"
        )
        return self._advice(Code.LOW_STRUCTURE, message, [*self.incomplete, *self.unparsable])

    def _constant(self) -> Iterable[Advice]:
        """Yield a warning if most texts are the same though the reference answers are not."""
        if not self.texts:
            return
        digest, count = self.texts.most_common(1)[0]
        usual = max(self.references.values(), default=0)
        if self._many(count, MOST_SHARE) and count > 2 * usual and digest != hash(""):
            message = "predictions are the same text"
            yield Advice(Code.CONSTANT, message, count, self.task, (self.first_of_text[digest],))

    def _many(self, count: int, share: float) -> bool:
        return self.answered >= MIN_ANSWERS and count > share * self.answered

    def _advice(self, code: Code, message: str, indices: list[int]) -> Advice:
        return Advice(code, message, len(indices), self.task, tuple(sorted(indices)[:MAX_EXAMPLES]))


def diagnose(
    test_set: TestSet, predictions: Iterable[str | None]
) -> tuple[tuple[TaskDiagnosis, ...], tuple[Advice, ...]]:
    """Return each task's counts and the warnings; tasks come in the benchmark's order."""
    tallies = {task: _Tally(task) for task in Task}
    for item, text in zip(test_set.items, predictions, strict=True):
        tally = tallies[item.task]
        tally.samples += 1
        sample = test_set.truth.samples[item.index] if test_set.truth else None
        if sample is not None:
            tally.references[sample.reference] += 1
        if text is not None:
            tally.add(item.index, text, read(text, item, sample))
    used = [tally for tally in tallies.values() if tally.samples]
    with_truth = test_set.truth is not None
    return (
        tuple(tally.diagnosis(with_truth=with_truth) for tally in used),
        tuple(advice for tally in used for advice in tally.advice(with_truth=with_truth)),
    )
