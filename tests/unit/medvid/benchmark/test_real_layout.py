"""The synthetic full-size test set in the layout of the real records: files of every kind align.

Its ids repeat less than the real ones do, so one more test set repeats them as often.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.report import Report
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.test_set_file import load_test_set
from medvid.benchmark.validation import Predictions, validate_submission
from tests.depth import deep

DATA = Path(__file__).parents[4] / "benchmarks" / "data"
FORMS = ("predictions_strong", "predictions_strong_composed")
DRAWN = 3_000
SEEDS = [*range(4), *(pytest.param(seed, marks=deep) for seed in range(4, 20))]
Row = dict[str, Any]


@cache
def public() -> TestSet:
    return load_test_set((DATA / "test_set.json.gz").read_bytes())


@cache
def rows(form: str) -> tuple[Row, ...]:
    """A whole file whose predictions say to which sample they belong."""
    read = orjson.loads(gzip.decompress((DATA / f"{form}.json.gz").read_bytes()))
    return tuple({**row, "prediction": str(index)} for index, row in enumerate(read))


def with_questions(chosen: Iterable[Row]) -> list[Row]:
    items = public().items
    return [
        {**row, "question": f"<video>\n{items[int(row['prediction'])].question}"} for row in chosen
    ]


def check(chosen: Sequence[Row], samples: TestSet) -> tuple[Report, Predictions]:
    found = validate_submission(orjson.dumps(list(chosen)), samples, diagnose=False)
    return found.report, found.predictions or Predictions(())


def misplaced(predictions: Predictions) -> list[int]:
    return [place for place, text in enumerate(predictions) if text not in (None, str(place))]


def draw(seed: int, form: str) -> list[Row]:
    chosen = sorted(random.Random(seed).sample(range(len(public())), DRAWN))  # noqa: S311 - repeatable on purpose
    return [rows(form)[index] for index in chosen]


def codes(report: Report) -> dict[str, int]:
    return {str(warning.code): warning.count for warning in report.warnings}


def test_the_public_part_of_the_ground_truth_is_the_test_set() -> None:
    truth = load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())
    assert TestSet.from_ground_truth(truth).items == public().items


@pytest.mark.parametrize(
    "file", [*FORMS, "results_strong", "predictions_weak", "predictions_hostile"]
)
def test_every_file_aligns_by_position(file: str) -> None:
    found = validate_submission(
        (DATA / f"{file}.json.gz").read_bytes(), public(), diagnose=False
    ).report
    assert (found.ok, found.mode, found.answered, found.warnings) == (True, "position", 6245, ())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_draw_in_order_lands_on_its_own_samples(seed: int, form: str) -> None:
    report, predictions = check(draw(seed, form), public())
    assert (report.ok, report.mode, report.answered) == (True, "position", DRAWN)
    assert len(misplaced(predictions)) <= 2
    assert codes(report)["ambiguous"] == report.ambiguous > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_with_questions_only_samples_that_nothing_tells_apart_are_confused(seed: int) -> None:
    _, predictions = check(with_questions(draw(seed, FORMS[0])), public())
    items = public().items
    for place in misplaced(predictions):
        mine, taken = items[int(predictions[place] or 0)], items[place]
        assert (mine.id, mine.qa_type, mine.question) == (taken.id, taken.qa_type, taken.question)


def test_a_draw_keyed_by_position_lands_exactly() -> None:
    keyed = {row["prediction"]: row for row in draw(0, FORMS[0])}
    found = validate_submission(orjson.dumps(keyed), public(), diagnose=False)
    assert found.predictions is not None
    assert misplaced(found.predictions) == []
    assert found.report.ambiguous == 0


def test_a_shuffled_file_of_mixed_aliases_places_every_record_on_a_sample_it_names() -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable on purpose
    mixed = [rows(chance.choice(FORMS))[index] for index in range(len(public()))]
    assert check(mixed, public())[0].mode == "position"
    chance.shuffle(mixed)
    report, predictions = check(mixed, public())
    assert (report.ok, report.mode, report.answered) == (True, "key", 6245)
    items = public().items
    for place in misplaced(predictions):
        mine, taken = items[int(predictions[place] or 0)], items[place]
        assert set(mine.aliases) & set(taken.aliases)
        assert mine.task is taken.task


def test_gaps_doubles_swaps_and_unknown_ids() -> None:
    whole = list(rows(FORMS[0]))

    unknown = [dict(row) for row in whole]
    for place in (5, 100, 6_000):
        unknown[place]["id"] = "nobody&&1&&2&&1.0"
    report, predictions = check(unknown, public())
    assert (report.ok, report.mode, misplaced(predictions)) == (True, "position", [])
    assert codes(report) == {"foreign_ids": 3}

    swapped = [*whole]
    swapped[10], swapped[11] = swapped[11], swapped[10]
    report, predictions = check(swapped, public())
    assert (report.ok, report.mode) == (True, "key")
    assert {"10", "11"} == {predictions[10], predictions[11]}

    unknown[10], unknown[11] = unknown[11], unknown[10]
    report, _ = check(unknown, public())
    assert {(problem.code, problem.path) for problem in report.problems} <= {
        ("unknown_id", f"$[{place}].id") for place in (5, 100, 6_000)
    }
    assert report.problem_count == 3

    doubled = [*whole[:20], whole[19], *whole[21:]]
    report, _ = check(doubled, public())
    assert [(p.code, p.path) for p in report.problems] == [("surplus_record", "$[20]")]
    report, _ = check([*whole, whole[3]], public())
    assert [(p.code, p.path) for p in report.problems] == [("surplus_record", "$[6245]")]


def test_ids_that_repeat_as_often_as_the_real_ones_do() -> None:
    """3,975 distinct ids of 6,245 at most: many a sample takes the id of the one before."""
    items = [*public().items]
    for index in range(1, len(items), 2):
        before = items[index - 1]
        if index % 3 or index % 5:
            items[index] = replace(items[index], id=before.id, aliases=before.aliases)
    samples = TestSet(tuple(items))
    assert len({item.id for item in items}) <= 3_975
    for seed in range(5):
        chosen = sorted(random.Random(seed).sample(range(len(items)), DRAWN))  # noqa: S311 - repeatable on purpose
        file = [
            {"id": items[i].id, "qa_type": items[i].qa_type, "question": items[i].question,
             "prediction": str(i)}
            for i in chosen
        ]  # fmt: skip
        report, predictions = check(file, samples)
        assert report.ok
        for place in misplaced(predictions):
            mine, taken = items[int(predictions[place] or 0)], items[place]
            assert (mine.id, mine.question) == (taken.id, taken.question)
