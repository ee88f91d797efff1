"""NAP_acc: next action prediction (SPEC 2, NAP)."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medvid.benchmark.embedder import Embedder
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.results import (
    AnsweredSample,
    Outcome,
    Record,
    TaskScore,
    means_of_records,
    metric_score,
)
from medvid.benchmark.tasks import Task
from medvid.benchmark.vocabulary import Vocabulary, load_vocabulary

_WHITE_SPACE: Final = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""All of Unicode's white space; the last is U+3000."""
_TRIMMED: Final = _WHITE_SPACE + string.punctuation

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A scorable record: its labels, its reference label and the prediction to be labelled."""

    answer: AnsweredSample
    labels: Labels
    reference: str
    prediction: str


def score(
    answers: Sequence[AnsweredSample],
    embedder: Embedder | None,
    test_set: Sequence[Sample] | None = None,
) -> TaskScore:
    """Score next actions over the records whose reference is a label.

    Labels of a source without a list come from all next actions of the `test_set`, of which the
    answers are when it is left out.

    Compat takes the nearest label of any text, even of an empty one, which a missing prediction
    counts as. Without an embedder, texts that are not labels get none: the values are then a lower
    bound, for measuring speed only.
    """
    asked = [answer.sample for answer in answers] if test_set is None else test_set
    questions = _questions(answers, load_vocabulary(), _references_by_source(asked))
    nearest = _nearest_labels(questions, embedder) if embedder else {}
    outcomes: list[Outcome] = []
    records: dict[int, Record] = {
        answer.sample.index: {"label": None, "how": None, "correct": False, "scored": False}
        for answer in answers
    }
    for question in questions:
        how = "exact" if question.prediction in question.labels else "semantic"
        label = (
            question.prediction
            if how == "exact"
            else nearest.get((question.labels, question.prediction))
        )
        correct = label == question.reference
        records[question.answer.sample.index] = {
            "label": label,
            "how": how,
            "correct": correct,
            "scored": True,
        }
        outcomes.append(
            Outcome(
                sample=question.answer.sample,
                compat=float(correct),
                strict=float(question.answer.prediction is not None and _same(question)),
                answered=bool(question.prediction),
                expected=True,
            )
        )
    contributions = means_of_records(outcomes)
    metrics = {"nap_acc": metric_score(contributions, outcomes)}
    return TaskScore(metrics, records, {"nap_acc": contributions})


def _questions(
    answers: Sequence[AnsweredSample], vocabulary: Vocabulary, references: Mapping[str, Labels]
) -> list[Question]:
    """Return the records whose reference is a label, texts stripped and aliases resolved.

    An empty reference is no label of any source.
    """
    unions = {
        source: tuple(sorted({label for labels in procedures.values() for label in labels}))
        for source, procedures in vocabulary.by_procedure.items()
    }
    lowered = {
        source: [(name.lower(), labels) for name, labels in procedures.items()]
        for source, procedures in vocabulary.by_procedure.items()
    }
    questions: list[Question] = []
    for answer in answers:
        sample = answer.sample
        aliases = vocabulary.aliases.get(sample.source, {})
        reference = _resolved(sample.reference, aliases)
        if sample.source in lowered:
            labels = _labels_of_procedure(sample, lowered[sample.source]) or unions[sample.source]
        else:
            labels = vocabulary.labels.get(sample.source) or references.get(sample.source, ())
        if reference in labels:
            questions.append(Question(answer, labels, reference, _resolved(answer.text, aliases)))
    return questions


def _references_by_source(samples: Sequence[Sample]) -> dict[str, Labels]:
    """Return the sorted distinct reference answers of each source in the test set, none empty."""
    references: dict[str, set[str]] = {}
    for sample in samples:
        if sample.task is Task.NEXT_ACTION:
            references.setdefault(sample.source, set()).add(sample.reference.strip())
    return {source: tuple(sorted(labels - {""})) for source, labels in references.items()}


def _labels_of_procedure(sample: Sample, procedures: Sequence[tuple[str, Labels]]) -> Labels | None:
    """Return the labels of the first procedure, in file order, that the question names."""
    question = sample.question.lower()
    return next((labels for name, labels in procedures if name in question), None)


def _resolved(text: str, aliases: Mapping[str, str]) -> str:
    stripped = text.strip()
    return aliases.get(stripped, stripped)


def _same(question: Question) -> bool:
    """Strict: equal after case-folding and trimming white space and punctuation at both ends."""
    return _folded(question.prediction) == _folded(question.reference)


def _folded(text: str) -> str:
    return text.casefold().strip(_TRIMMED)


def _nearest_labels(
    questions: Sequence[Question], embedder: Embedder
) -> dict[tuple[Labels, str], str]:
    """Return the label of highest cosine similarity of each distinct (labels, text), first on ties.

    All distinct texts go through the encoder in one call, labels among them.
    """
    wanted: dict[Labels, dict[str, None]] = {}
    for question in questions:
        if question.prediction not in question.labels:
            wanted.setdefault(question.labels, {})[question.prediction] = None
    distinct = list(
        dict.fromkeys(text for labels, texts in wanted.items() for text in (*labels, *texts))
    )
    embeddings = embedder(distinct) if distinct else np.zeros((0, 1), dtype=np.float32)
    row = {text: index for index, text in enumerate(distinct)}
    nearest: dict[tuple[Labels, str], str] = {}
    for labels, texts in wanted.items():
        label_rows = embeddings[[row[label] for label in labels]]
        similarity = embeddings[[row[text] for text in texts]] @ label_rows.T
        for text, best in zip(texts, similarity.argmax(axis=1).tolist(), strict=True):
            nearest[labels, text] = labels[best]
    return nearest
