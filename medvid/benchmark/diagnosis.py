"""The diagnosis of an aligned submission: what parses, what is covered, what looks wrong.

Outputs cut off by a token limit, or written in a style that is not read, pass every format check
and then score near zero; this says so before anything is scored. Without a truth the expectation
comes from questions, sources and clip lengths alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from medvid.benchmark import styles
from medvid.benchmark.asked import is_label, is_nearly_label, labels_asked
from medvid.benchmark.reading import READ_CHARACTERS, UNITS, Reading, read
from medvid.benchmark.report import MAX_EXAMPLES, Advice, Code, TaskDiagnosis, shown
from medvid.benchmark.styles.recognition import Styles
from medvid.benchmark.styles.table import ASK, LONGER, RERUN, STYLES, Style, effect_of
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet

LOW_STRUCTURE_SHARE: Final = 0.8
"""Below this share of the expected structure a task gets a warning."""
SUSPICIOUS_SHARE: Final = 0.05
"""From this share of a task's answers on, cut-off ones are more than chance."""
CUT_TEXT_SHARE: Final = 0.2
"""The same for free text, where ending without a full stop proves less."""
MOST_SHARE: Final = 0.5
"""A majority: constants and wrong scales are faults of the whole task."""
NEARLY_ALL_SHARE: Final = 0.9
"""The same for scores, of which a model may honestly repeat one often."""
NO_LABEL_SHARE: Final = 1 / 3
"""From this share of next actions on that are no label, the prompt's labels were not followed."""
MIN_ANSWERS: Final = 10
"""Fewer answers show no pattern."""
MIN_COUNTED: Final = 30
"""Without a truth, structure is counted for tasks with at least this many answered samples."""
LOOKED_AT_CHARACTERS: Final = 4_000_000
"""How much doubtful text of one task is searched for styles; a whole benchmark has less."""
FREQUENT_TEXTS: Final = 3
_KEPT_CHARACTERS: Final = 120
_KEPT_TEXTS: Final = 10_000
_PER_MILLE: Final = 1000.0
_PER_MILLE_REACHED: Final = 900.0
_UNREAD: Final = "Nothing is read of them: these answers score zero."
_SCORED_TASKS: Final = (Task.CVS_ASSESSMENT, Task.SKILL_ASSESSMENT)
_OF_THE_CONTENT: Final = frozenset((Code.TOO_MANY_SEGMENTS,))
"""Codes that do not say that a text is read otherwise than it is written."""


@dataclass(slots=True)
class _Labels:
    """How next actions compare with the labels that their sources have."""

    exact: int = 0
    by_similarity: int = 0
    unchecked: int = 0
    not_labels: list[int] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, index: int, text: str, labels: AbstractSet[str], source: str) -> bool:
        """Count one next action; return whether it is a label."""
        if not labels:
            self.unchecked += 1
            return False
        if is_label(text, labels, source):
            self.exact += 1
            return True
        self.by_similarity += 1
        if is_nearly_label(text, labels):
            return True
        self.not_labels.append(index)
        kept = text.strip()[:_KEPT_CHARACTERS]
        if kept in self.texts or len(self.texts) < _KEPT_TEXTS:
            self.texts[kept] += 1
        return False


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
    by_code: dict[str, list[int]] = field(default_factory=dict)
    tidied: set[str] = field(default_factory=set)
    excerpts: dict[int, str] = field(default_factory=dict)
    texts: Counter[int] = field(default_factory=Counter)
    references: Counter[str] = field(default_factory=Counter)
    first_of_text: dict[int, int] = field(default_factory=dict)
    labels: _Labels = field(default_factory=_Labels)
    looked_at: int = 0
    width: float = 0.0
    height: float = 0.0

    def add(
        self, item: TestItem, text: str, reading: Reading, labels: AbstractSet[str] | None
    ) -> None:
        """Count one answered sample; `labels` are what a next action can be."""
        index = item.index
        self.answered += 1
        stripped = text.strip()
        digest = hash(stripped)  # within one process only; texts themselves would cost memory
        self.texts[digest] += 1
        self.first_of_text.setdefault(digest, index)
        self.parsed += reading.emitted > 0
        self.emitted += reading.emitted
        self.required += reading.required or 0
        self.covered += reading.covered or 0
        if reading.extent:
            self.width = max(self.width, reading.extent[0])
            self.height = max(self.height, reading.extent[1])
        if not stripped:
            self._note(index, text, self.empty)
            return
        if not reading.emitted:
            self._note(index, text, self.unparsable)
        elif (reading.covered or 0) < (reading.required or 0):
            self._note(index, text, self.incomplete)
        plain = reading.plain if labels is None else self._is_label(item, text, labels, reading)
        if reading.codes or reading.cut_off or not plain:
            self._look(index, text, reading, plain=plain)

    def _is_label(
        self, item: TestItem, text: str, labels: AbstractSet[str], reading: Reading
    ) -> bool:
        """Compare a next action with the labels; return whether nothing is wrong with its text."""
        found = self.labels.add(item.index, text, labels, item.source)
        if self.labels.not_labels == [item.index]:
            self._excerpt(item.index, text)
        return found or (reading.plain and not labels and "\n" not in text)

    def _look(self, index: int, text: str, reading: Reading, *, plain: bool) -> None:
        """Note what looks wrong about a text."""
        rewritten, staying = Styles() if plain else self._styles(text)
        self.tidied.update(rewritten)
        codes = dict.fromkeys((*rewritten, *staying, *reading.codes))
        if reading.cut_off:
            codes[Code.LIKELY_TRUNCATED] = None
        if Code.CLOCK_TIMES in codes or Code.DATES in codes:  # these make segments look inverted
            codes.pop(Code.INVERTED_SEGMENTS, None)
        for code in codes:
            self._note(index, text, self.by_code.setdefault(code, []))

    def _styles(self, text: str) -> Styles:
        """Return the styles of a text that may be read otherwise than it is meant."""
        if len(text) > READ_CHARACTERS:
            text = styles.strip_reasoning(text)[:READ_CHARACTERS] or text[:READ_CHARACTERS]
        if self.looked_at > LOOKED_AT_CHARACTERS:
            return Styles()
        self.looked_at += len(text)
        return styles.styles_of(text, self.task)

    def _note(self, index: int, text: str, indices: list[int]) -> None:
        indices.append(index)
        if len(indices) == 1:
            self._excerpt(index, text)

    def _excerpt(self, index: int, text: str) -> None:
        self.excerpts.setdefault(index, text[:_KEPT_CHARACTERS])

    def diagnosis(self, *, counted: bool) -> TaskDiagnosis:
        """Return the counts as the report gives them."""
        doubtful = set[int]().union(
            *(indices for code, _, indices in self._styled() if code not in _OF_THE_CONTENT)
        )
        actions = self.task is Task.NEXT_ACTION
        return TaskDiagnosis(
            task=self.task,
            samples=self.samples,
            answered=self.answered,
            empty=len(self.empty),
            parsed=self.parsed,
            unit=UNITS[self.task],
            emitted=self.emitted,
            required=self.required if counted else None,
            covered=self.covered if counted else None,
            doubtful=len(doubtful),
            exact=self.labels.exact if actions else None,
            by_similarity=self.labels.by_similarity if actions else None,
            unchecked=self.labels.unchecked if actions else None,
        )

    def advice(self, *, counted: bool) -> Iterator[Advice]:
        """Yield what the owner should look at."""
        if self.empty:
            yield self._advice(
                Code.EMPTY_PREDICTIONS, "predictions hold no text", self.empty,
                "These answers score zero.", RERUN,
            )  # fmt: skip
        if self.unparsable:
            message = f"predictions hold no {UNITS[self.task]} that can be read"
            yield self._advice(
                Code.UNPARSABLE, message, self.unparsable, _UNREAD, self._cure_of_unparsable()
            )
        if self.covered < LOW_STRUCTURE_SHARE * self.required:
            yield self._low_structure(counted=counted)
        yield from self._cut_off()
        for code, style, indices in self._styled():
            message = f"predictions {style.message}"
            yield self._advice(code, message, indices, effect_of(code, self.task), self._fix(code))
        yield from self._per_mille()
        yield from self._not_labels()
        yield from self._constant()

    def _fix(self, code: str) -> str:
        """Return what cures a style: not tidying, where that rewrites none of its texts."""
        style = STYLES[code]
        return style.fix if code in self.tidied else style.untidied or style.fix

    def _cure_of_unparsable(self) -> str:
        """Return what cures most of the texts that nothing is read of."""
        unread, cures = set(self.unparsable), Counter[str]()
        for code, indices in self.by_code.items():
            if code in STYLES:
                cures[self._fix(code)] += len(unread.intersection(indices))
        cure, count = next(iter(cures.most_common(1)), (ASK, 0))
        return cure if count else ASK

    def _styled(self) -> Iterator[tuple[str, Style, list[int]]]:
        """Yield the styles that are more than chance, with the samples that have them."""
        for code, indices in self.by_code.items():
            style = STYLES.get(code)
            if style and len(indices) > style.share * self.answered:
                yield code, style, indices

    def _low_structure(self, *, counted: bool) -> Advice:
        unit = UNITS[self.task]
        there = f": {self.covered:,} of {self.required:,} are there" if counted else ""
        return self._advice(
            Code.LOW_STRUCTURE,
            f"predictions lack some of the expected {unit}{there}",
            [*self.incomplete, *self.unparsable, *self.empty],
            "What is missing counts as wrong in strict scoring, and mostly in compat.",
            f"Ask the model for all {unit}; if its output is cut off, raise its token limit.",
        )

    def _cut_off(self) -> Iterator[Advice]:
        indices = self.by_code.get(Code.LIKELY_TRUNCATED, [])
        share = CUT_TEXT_SHARE if UNITS[self.task] == "texts" else SUSPICIOUS_SHARE
        if UNITS[self.task] == "texts" and self.answered < MIN_ANSWERS:
            return
        if len(indices) > share * self.answered:
            yield self._advice(
                Code.LIKELY_TRUNCATED,
                "predictions end inside a component: they seem cut off by a token limit",
                indices,
                "Everything behind the cut is missing, and counts as wrong or is not scored.",
                LONGER,
            )

    def _per_mille(self) -> Iterator[Advice]:
        """Yield a warning if boxes reach up to 1000 in both directions, and nowhere beyond."""
        if self.parsed >= MIN_ANSWERS and all(
            _PER_MILLE_REACHED < reached <= _PER_MILLE for reached in (self.width, self.height)
        ):
            yield Advice(
                Code.PER_MILLE_BOXES,
                "predictions hold boxes that all lie within 0-1000, in both directions up to its "
                "end: this seems to be a scale and no pixels",
                self.parsed,
                self.task,
                effect="Pixels are expected: boxes on another scale score near zero.",
                fix="Multiply x by the frame's width / 1000 and y by its height / 1000.",
            )

    def _not_labels(self) -> Iterator[Advice]:
        labels = self.labels
        checked = labels.exact + labels.by_similarity
        if len(labels.not_labels) <= NO_LABEL_SHARE * checked:
            return
        frequent = ", ".join(
            f"{shown(text)} ({count:,})" for text, count in labels.texts.most_common(FREQUENT_TEXTS)
        )
        yield self._advice(
            Code.NOT_A_LABEL,
            f"predictions are no label of their source: {labels.exact:,} are exact, "
            f"{labels.by_similarity:,} go by similarity; the most frequent: {frequent}",
            labels.not_labels,
            "The most similar label is taken, often a wrong one; strict scoring counts all wrong.",
            "Give the model the list of actions of its source, and let it answer with one of them.",
        )

    def _constant(self) -> Iterator[Advice]:
        """Yield a hint if most texts are the same; known reference answers must differ."""
        if not self.texts:
            return
        digest, count = self.texts.most_common(1)[0]
        usual = max(self.references.values(), default=0)
        share = NEARLY_ALL_SHARE if self.task in _SCORED_TASKS else MOST_SHARE
        if self._many(count, share) and count > 2 * usual and digest != hash(""):
            yield Advice(
                Code.CONSTANT,
                "predictions are the same text",
                count,
                self.task,
                (self.first_of_text[digest],),
                effect="An answer that does not depend on the video is right by chance at most.",
                fix="A model may repeat itself honestly; check that each sample got its own video.",
            )

    def _many(self, count: int, share: float) -> bool:
        return self.answered >= MIN_ANSWERS and count > share * self.answered

    def _advice(self, code: str, message: str, indices: list[int], effect: str, fix: str) -> Advice:
        listed = tuple(sorted(indices)[:MAX_EXAMPLES])
        excerpt = next(
            (self.excerpts[i] for i in (*listed, *indices[:1]) if i in self.excerpts), None
        )
        return Advice(
            code,
            message,
            len(indices),
            self.task,
            listed,
            example="" if excerpt is None else shown(excerpt),
            effect=effect,
            fix=fix,
        )


def diagnose(
    test_set: TestSet, predictions: Iterable[str | None]
) -> tuple[tuple[TaskDiagnosis, ...], tuple[Advice, ...]]:
    """Return each task's counts and the warnings; tasks come in the benchmark's order."""
    tallies = {task: _Tally(task) for task in Task}
    true_labels, actions = _true_labels(test_set), tallies[Task.NEXT_ACTION]
    for item, text in zip(test_set.items, predictions, strict=True):
        tally = tallies[item.task]
        tally.samples += 1
        sample = test_set.truth.samples[item.index] if test_set.truth else None
        if sample is not None:
            tally.references[sample.reference] += 1
        if text is not None:
            labels = None
            if tally is actions:
                labels = labels_asked(item.source, item.question) or true_labels.get(
                    item.source, frozenset()
                )
            tally.add(item, text, read(text, item, sample), labels)
    used = [tally for tally in tallies.values() if tally.samples]
    known = test_set.truth is not None
    return (
        tuple(t.diagnosis(counted=known or t.answered >= MIN_COUNTED) for t in used),
        tuple(
            advice for t in used for advice in t.advice(counted=known or t.answered >= MIN_COUNTED)
        ),
    )


def _true_labels(test_set: TestSet) -> Mapping[str, AbstractSet[str]]:
    """Return the labels of sources without a list: their reference answers, where there are any."""
    found: dict[str, set[str]] = {}
    for sample in test_set.truth.samples if test_set.truth else ():
        if sample.task is Task.NEXT_ACTION and sample.reference.strip():
            found.setdefault(sample.source, set()).add(sample.reference.strip())
    return found
