"""What goes into a file, and what its lines come to."""

from __future__ import annotations

from uuid import uuid4

import pytest

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.batch_lines import BatchAnswers, LineKey
from medvid.judging.calls import CallFailed, Completion, Usage
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import Form
from services.judge.batch_answers import NOT_ASKED, LineReader
from services.judge.batch_files import FilePart, fitting
from services.judge.provider_batches import HeldBatch
from services.judge.verdict_reading import VerdictReader
from tests.fakes.grader import version

KEY = LineKey(bytes(32), 0)
USAGE = Usage(100, 10)
BATCH = HeldBatch(
    id=uuid4(),
    run_id=uuid4(),
    submission_id=uuid4(),
    version=version(),
    endpoint="nowhere",
    form=Form.LINES,
    price=TokenPrice(1, 4),
    lines=10,
    reserved=5_009,
    state="collecting",
    file_id="file-1",
    provider_id="batch-1",
    outputs=("file-2",),
    is_cancelled=False,
    may_begin=True,
    is_wanted=True,
    is_overdue=False,
    is_hopeless=False,
    tries=0,
)
VERDICT = "\n".join(f"{aspect}: 4" for aspect in ASPECTS)
READER = LineReader(BATCH, VerdictReader(BATCH.version, None))


def drafts(*sizes: int) -> list[FilePart]:
    """Drafts of two lines each, whose bytes and money are these numbers."""
    return [
        FilePart(number, [(bytes([number]) * 32, 0)] * 2, size, size)
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("lines", "microusd", "size", "count"),
    [
        (100, 100, 100, 4),
        (5, 100, 100, 2),
        (6, 100, 100, 3),
        (100, 30, 100, 3),
        (100, 29, 100, 2),
        (100, 100, 10, 1),
        (1, 1, 1, 1),
    ],
)
def test_a_file_holds_what_fits_and_one_judge_batch_in_any_case(
    lines: int, microusd: int, size: int, count: int
) -> None:
    found = fitting(drafts(10, 10, 10, 10), lines=lines, microusd=microusd, size=size)
    assert [draft.batch_id for draft in found] == list(range(count))


def test_nothing_fits_into_a_file_of_nothing() -> None:
    assert list(fitting([], lines=10, microusd=0)) == []


def answered(content: str, usage: Usage | None = USAGE, model: str = "fake-1") -> BatchAnswers:
    return BatchAnswers(answered={KEY: Completion(content, None, "stop", model, usage)})


def test_a_verdict_costs_what_it_used_at_the_price_of_its_batch() -> None:
    line = READER.read(KEY, answered(VERDICT))
    assert line.verdict is not None
    assert (line.microusd, line.verdict.cost_microusd, line.calls) == (140, 140, 1)
    assert line.verdict.scores == dict.fromkeys(ASPECTS, 4)
    assert (line.waste.microusd, line.is_estimated) == (0, False)


def test_a_verdict_without_a_bill_costs_what_was_set_aside_for_it() -> None:
    line = READER.read(KEY, answered(VERDICT, None))
    assert (line.microusd, line.is_estimated) == (500, True)


@pytest.mark.parametrize(
    ("content", "model", "reason"),
    [("R2: 9", "fake-1", "malformed"), (VERDICT, "other-9", "other_model")],
)
def test_what_is_no_verdict_is_paid_for_nothing_and_asked_for_online(
    content: str, model: str, reason: str
) -> None:
    line = READER.read(KEY, answered(content, model=model))
    assert line.verdict is None
    assert (line.microusd, line.waste.microusd, line.waste.calls) == (140, 140, {reason: 1})


def test_a_refused_line_costs_nothing_unless_it_may_be_billed() -> None:
    refused = READER.read(KEY, BatchAnswers(failed={KEY: CallFailed("failing", "503", "busy")}))
    assert (refused.verdict, refused.microusd, refused.calls) == (None, 0, 1)
    garbled = CallFailed("failing", "garbled", "what?", maybe_billed=True)
    line = READER.read(KEY, BatchAnswers(failed={KEY: garbled}))
    assert (line.microusd, line.waste.calls, line.is_estimated) == (500, {"garbled": 1}, True)
    billed = CallFailed("failing", "200", "no room", usage=Usage(100, 0))
    assert READER.read(KEY, BatchAnswers(failed={KEY: billed})).microusd == 100


def test_a_line_that_is_missing_costs_nothing() -> None:
    assert READER.read(KEY, BatchAnswers(missing={KEY})) is NOT_ASKED
