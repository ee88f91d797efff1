"""Validation: uploaded bytes in; a report, and predictions aligned with the test set, out.

The one entry point for the server, the dry run and the client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, overload

from medvid.benchmark import diagnosis
from medvid.benchmark.alignment import Alignment, align
from medvid.benchmark.decoding import SUBMISSION_LIMITS, Document, Limits, RefusedFile, decode
from medvid.benchmark.report import (
    MAX_EXAMPLES,
    Advice,
    Code,
    Problem,
    Problems,
    Report,
    TaskDiagnosis,
    shown,
)
from medvid.benchmark.scanning import Layout
from medvid.benchmark.shapes import COMMAND, columns_in, wrapped_in
from medvid.benchmark.submission import read_records
from medvid.benchmark.test_set import TestItem, TestSet

MINIMUM_RECORDS: Final = 100
"""How many records a submission needs; offline scoring takes any number (0)."""


class Predictions(Sequence["str | None"]):
    """The predictions in test-set order, None where a sample has none.

    Held as UTF-8 bytes and decoded on access: a text with one emoji takes four times its bytes as
    a `str`, which a hostile upload could use. Equality is by content; cheap to pickle.
    """

    __slots__ = ("payloads",)

    def __init__(self, payloads: tuple[bytes | None, ...]) -> None:
        self.payloads = payloads

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> str | Predictions | None:
        """Return one prediction, or a slice of them."""
        if isinstance(index, slice):
            return Predictions(self.payloads[index])
        payload = self.payloads[index]
        return None if payload is None else payload.decode()

    def __iter__(self) -> Iterator[str | None]:
        """Yield the predictions in order."""
        return (None if payload is None else payload.decode() for payload in self.payloads)

    def __len__(self) -> int:
        """Return the length of the test set."""
        return len(self.payloads)

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence of predictions."""
        if isinstance(other, Predictions):
            return self.payloads == other.payloads
        return isinstance(other, list | tuple) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as any sequence compared by content


@dataclass(frozen=True, slots=True)
class ValidatedSubmission:
    """The report, and the aligned predictions where it has no problem. Pickles."""

    report: Report
    predictions: Predictions | None


def validate_submission(
    data: bytes,
    test_set: TestSet,
    *,
    minimum_records: int = MINIMUM_RECORDS,
    limits: Limits = SUBMISSION_LIMITS,
    diagnose: bool = True,
) -> ValidatedSubmission:
    """Decode, check and align an upload (plain or gzip bytes). Never raises on bad input.

    `diagnose=False` leaves out the per-task diagnosis, which costs one parse of every prediction.
    """
    problems = Problems()
    try:
        document = decode(data, limits)
    except RefusedFile as refused:
        problems.add(refused.problem)
        return ValidatedSubmission(_report(problems, 0, test_set, None, ()), None)
    few = _check_layout(document, test_set, minimum_records, problems)
    alignment = align(read_records(document, limits, problems), test_set, problems)
    predictions = Predictions(
        tuple(None if record is None else record.prediction for record in alignment.records)
    )
    tasks, warnings = diagnosis.diagnose(test_set, predictions) if diagnose else ((), ())
    report = _report(
        problems, len(document), test_set, alignment, (*few, *_advice(alignment), *warnings), tasks
    )
    return ValidatedSubmission(report, predictions if report.ok else None)


def check_format(
    data: bytes, *, minimum_records: int = MINIMUM_RECORDS, limits: Limits = SUBMISSION_LIMITS
) -> Report:
    """Check an upload without any test set: its records' form, and how many predictions parse."""
    problems = Problems()
    nothing = TestSet(())
    try:
        document = decode(data, limits)
    except RefusedFile as refused:
        problems.add(refused.problem)
        return _report(problems, 0, nothing, None, ())
    few = _check_layout(document, nothing, minimum_records, problems)
    records = read_records(document, limits, problems)
    itself = TestSet(tuple(
        TestItem(index, record.id, record.task, "", record.qa_type)
        for index, record in enumerate(records)
    ))  # fmt: skip
    predictions = Predictions(tuple(record.prediction for record in records))
    tasks, warnings = diagnosis.diagnose(itself, predictions)
    report = _report(problems, len(document), nothing, None, (*few, *warnings), tasks)
    return replace(report, answered=len(records))


def _report(
    problems: Problems,
    records: int,
    test_set: TestSet,
    alignment: Alignment | None,
    warnings: tuple[Advice, ...],
    tasks: tuple[TaskDiagnosis, ...] = (),
) -> Report:
    return Report(
        problems=tuple(problems.first),
        problem_count=problems.count,
        records=records,
        samples=len(test_set),
        answered=alignment.answered if alignment else 0,
        mode=alignment.mode if alignment else None,
        ambiguous=alignment.ambiguous if alignment else 0,
        tasks=tasks,
        warnings=warnings,
    )


def _check_layout(
    document: Document, samples: TestSet, minimum: int, problems: Problems
) -> tuple[Advice, ...]:
    """Note what is wrong with the whole; return the warning of a file that only the server refuses.

    Where the records stand inside a wrapper, what its elements lack says nothing.
    """
    columns = columns_in(document.content, document.layout)
    wrapper = None if columns else wrapped_in(document.content, document.layout)
    if columns:
        problems.add(_columns(columns))
        document.layout = Layout("array", [], [], [])
    elif wrapper is not None:
        problems.add(_wrapped(wrapper))
        document.layout = Layout("array", [], [], [])
    elif len(document) < minimum:
        problems.add(_too_few(len(document), minimum))
    # One's own split may be smaller than the least that a submission needs.
    elif len(document) < MINIMUM_RECORDS and not 0 < len(samples) < MINIMUM_RECORDS:
        return (Advice(
            Code.TOO_FEW_RECORDS,
            f"records in the file: a submission needs at least {MINIMUM_RECORDS}",
            len(document),
            effect="The server would refuse the file.",
            fix="Add predictions for more samples before you submit.",
        ),)  # fmt: skip
    return ()


def _columns(names: Sequence[str]) -> Problem:
    return Problem(
        Code.WRONG_SHAPE, "$", f"columns instead of records: {', '.join(map(shown, names))}",
        "one record (object) for each sample",
        f"Run '{COMMAND}', which makes records of them (pandas: to_json(orient=\"records\")).",
    )  # fmt: skip


def _wrapped(key: str) -> Problem:
    return Problem(
        Code.WRONG_SHAPE, f"$[{shown(key)}]", f"the records inside {shown(key)}",
        "the records themselves as the outermost array, or one a line",
        f"Send only what is inside, or run '{COMMAND}', which takes it out.",
    )  # fmt: skip


def _too_few(found: int, minimum: int) -> Problem:
    return Problem(
        Code.TOO_FEW_RECORDS,
        "$",
        f"{found} records",
        f"at least {minimum}",
        "Upload the predictions for the whole test set; some samples may be missing.",
    )


def _advice(alignment: Alignment) -> tuple[Advice, ...]:
    """Return the warnings about the alignment itself."""
    warnings = []
    missing = [i for i, record in enumerate(alignment.records) if record is None]
    if missing:
        warnings.append(_warning(
            Code.PARTIAL, "samples have no prediction", missing,
            "They count as wrong in strict scoring, and as empty predictions in compat.",
            "Add predictions for all samples.",
        ))  # fmt: skip
    if alignment.mode == "key" and alignment.answered:
        warnings.append(Advice(
            Code.ALIGNED_BY_KEY,
            "records are not in test-set order: matched by id, qa_type and question",
            alignment.answered,
            effect="None, as long as no two records share all three.",
            fix="Send the records in test-set order.",
        ))  # fmt: skip
    if alignment.ambiguous:
        warnings.append(Advice(
            Code.AMBIGUOUS,
            "records have a key (id, qa_type, question) that fits several samples, and were told "
            "apart by their order",
            alignment.ambiguous,
            effect="In another order than the test set's they answer other samples than meant.",
            fix="Send the whole file in test-set order, or add the questions.",
        ))  # fmt: skip
    if alignment.foreign_ids:
        warnings.append(_warning(
            Code.FOREIGN_IDS,
            "records have an id that the test set does not have, and were matched by position, as "
            "all else agrees",
            alignment.foreign_ids,
            "None, as long as the file is in test-set order.",
            "Copy the ids from the test set.",
        ))  # fmt: skip
    if alignment.reworded:
        warnings.append(_warning(
            Code.QUESTION_MISMATCH, "records ask another question than the test set",
            alignment.reworded,
            "An answer to another question scores as an answer to the test set's.",
            "Ask the test set's questions, or leave the questions out if only words differ.",
        ))  # fmt: skip
    return tuple(warnings)


def _warning(code: Code, message: str, samples: Sequence[int], effect: str, fix: str) -> Advice:
    examples = tuple(samples[:MAX_EXAMPLES])
    return Advice(code, message, len(samples), None, examples, effect=effect, fix=fix)
