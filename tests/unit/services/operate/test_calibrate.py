"""Holding a judge against humans: gates, intervals, and the command around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.calibration import at_random, faithful, generous, passes, r8_at_random, sample
from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS
from services.operate.calibrate import calibrate_judge
from services.operate.calibration import (
    ALPHA,
    LEAST_PAIRS,
    LabelledPair,
    Probe,
    calibrate,
    compare,
    doubled,
    reversed_sentences,
)
from services.operate.labelled import read_labelled
from shared.runtime.errors import InvalidInput
from tests.commands import status_of
from tests.depth import deep, examples


def scores(value: int) -> dict[str, int]:
    return dict.fromkeys(ASPECTS, value)


def varied(number: int) -> dict[str, int]:
    steps = dict(zip(ASPECTS, (1, 2, 3, 4, 6), strict=True))
    return {aspect: 1 + number * step % 5 for aspect, step in steps.items()}


def pairs(
    judge: Callable[[int], dict[str, int] | None],
    *,
    count: int = 120,
    length: Callable[[int], int] = lambda number: 20 + number * 7 % 31,
) -> list[LabelledPair]:
    return [
        LabelledPair(
            "p" * length(number), "r", CAPTION_TASKS[number % 3], (varied(number),), judge(number)
        )
        for number in range(count)
    ]


def test_a_judge_that_is_the_human_passes_in_full() -> None:
    found = calibrate(pairs(varied))
    assert (found.outcome, found.failed) == ("passed", ())
    assert set(found.tasks) == {task.value for task in CAPTION_TASKS}
    for one in (found.overall, *found.aspects.values(), *found.tasks.values()):
        assert (one.spearman, one.kappa, one.alpha.value) == pytest.approx((1, 1, 1))
        assert (one.alpha.low, one.bias.low, one.bias.high) == pytest.approx((1, 0, 0))
        assert one.judge_mean == one.human_mean
        assert one.human_alpha is None


def test_a_judge_that_says_the_opposite_fails() -> None:
    found = calibrate(pairs(lambda n: {key: 6 - score for key, score in varied(n).items()}))
    assert found.overall.spearman == pytest.approx(-1)
    assert found.overall.kappa is not None
    assert found.overall.kappa < -0.5
    assert "overall alpha" in found.failed


def test_a_judge_that_always_says_the_same_has_no_correlation_and_fails() -> None:
    found = calibrate(pairs(lambda _: scores(4)))
    assert found.overall.spearman is None
    assert found.overall.kappa == 0
    assert "overall alpha" in found.failed


def test_where_nobody_varies_nothing_is_defined_and_nothing_passes() -> None:
    same = [LabelledPair("p", "r", "video_summary", (scores(3),), scores(3))] * LEAST_PAIRS
    found = calibrate(same)
    overall = found.overall
    assert (overall.spearman, overall.kappa, overall.alpha.value) == (None, None, None)
    assert found.outcome == "failed"


def test_a_judge_without_eyes_fails_however_well_raters_agree() -> None:
    """With alpha over raters and judge together it passed from eight raters on."""
    assert passes(at_random, 10, draws=3) == 0


def test_one_aspect_without_sense_fails_alone() -> None:
    found = calibrate(sample(r8_at_random, 1, rng()))
    assert found.failed[0].startswith("R8")
    assert {name.split()[0] for name in found.failed} == {"R8"}


def test_one_task_without_sense_fails_alone() -> None:
    judged = sample(faithful(1.0), 1, rng())
    blind = sample(at_random, 1, rng())
    task = CAPTION_TASKS[0]
    mixed = [b if b.qa_type == task else a for a, b in zip(judged, blind, strict=True)]
    assert f"{task.value} alpha" in calibrate(mixed).failed


def test_a_judge_that_always_gives_one_more_fails_by_its_bias() -> None:
    found = calibrate(sample(generous, 1, rng()))
    assert found.overall.bias.low is not None
    assert found.overall.bias.low > 0.5
    assert "overall bias" in found.failed


@deep
def test_alpha_at_the_mark_hardly_ever_passes_and_well_above_it_mostly() -> None:
    """200 draws of each are in benchmarks/calibration.py."""
    draws = examples(40)
    assert passes(faithful(ALPHA), 1, draws) <= 0.1
    assert passes(faithful(ALPHA + 0.15), 1, draws) >= 0.8


def test_a_judge_that_loves_length_is_found_out() -> None:
    def lengthy(number: int) -> dict[str, int]:
        return {key: min(5, score + (number > 60)) for key, score in varied(number).items()}

    found = calibrate(pairs(lengthy, length=lambda number: 10 + number * 10))
    assert found.length_bias.value is not None
    assert found.length_bias.value > 0.3
    assert "length bias" in found.failed


@pytest.mark.parametrize("probe", ["position", "duplication"])
def test_a_judge_that_is_moved_by_form_is_found_out(probe: Probe) -> None:
    more = [
        replace(pair, probes={probe: generous(rng(), pair.judge)} if pair.judge else None)
        for pair in pairs(varied)
    ]
    assert calibrate(more).failed == (f"{probe} bias",)
    same = [replace(pair, probes={probe: pair.judge}) if pair.judge else pair for pair in more]
    assert calibrate(same).failed == ()


def test_a_judge_that_repeats_itself_agrees_with_itself() -> None:
    twice = [replace(p, probes={"retest": p.judge}) if p.judge else p for p in pairs(varied)]
    assert calibrate(twice).public()["retest_alpha"] == pytest.approx(1)
    other = [replace(p, probes={"retest": varied(n * 3 + 1)}) for n, p in enumerate(pairs(varied))]
    shifted = calibrate(other).retest
    assert shifted is not None
    assert shifted.value is not None
    assert shifted.value < 0.5


def test_too_few_pairs_give_no_verdict() -> None:
    found = calibrate(pairs(lambda n: varied(n) if n < LEAST_PAIRS - 1 else None))
    assert found.overall.pairs == LEAST_PAIRS - 1
    assert (found.outcome, found.public()["passed"]) == ("too_few_pairs", False)
    with pytest.raises(ValueError, match="no pair"):
        calibrate(pairs(lambda _: None))


def test_raters_are_held_against_each_other_too() -> None:
    two = [
        LabelledPair("p" * n, "r", "dc", (varied(n), varied(n)), varied(n)) for n in range(1, 40)
    ]
    some = [LabelledPair("p", "r", "dc", (varied(n),), varied(n)) for n in range(20)]
    assert calibrate([*two, *some]).overall.human_alpha == pytest.approx(1)


def test_between_two_scores_the_consensus_is_the_higher() -> None:
    found = calibrate([
        LabelledPair("p", "r", "dc", (scores(value), scores(value + 1)), scores(value + 1))
        for value in (1, 2, 3, 4)
    ])  # fmt: skip
    assert found.overall.kappa == pytest.approx(1)


def test_two_judges_are_compared_on_the_pairs_of_both() -> None:
    good = sample(faithful(0.95), 1, rng())
    worse = [replace(pair, judge=scores(3)) if n % 3 else pair for n, pair in enumerate(good)]
    missing = [replace(worse[0], judge=None), *worse[1:]]
    found = compare(good, missing)
    assert set(found) == {"overall", *ASPECTS}
    assert found["overall"].pairs == len(good) - 1
    assert found["overall"].difference.low is not None
    assert found["overall"].difference.low > 0
    same = compare(good, good)["overall"].difference
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_probes_change_form_and_no_content() -> None:
    assert (
        reversed_sentences("One is cut. Two is seen! Three?") == "Three? Two is seen! One is cut."
    )
    assert reversed_sentences("At 1.5 s it is cut.") is None
    assert doubled(" A cut. ") == "A cut. A cut."


def rng() -> Any:
    import numpy as np

    return np.random.default_rng(7)


def line(**changes: Any) -> str:
    given = {"prediction": "p", "reference": "r", "qa_type": "vs", "scores": varied(1)}
    return json.dumps({**given, "qa_type": "video_summary_gpt", **changes})


def test_lines_are_read_with_one_rater_or_many() -> None:
    content = "\n".join([line(), "", line(scores=[varied(1), varied(2)], judge=varied(3))])
    one, two = read_labelled(content.encode())
    assert one.humans == (varied(1),)
    assert one.judge is None
    assert two.humans == (varied(1), varied(2))
    assert two.judge == varied(3)


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        line(prediction=""),
        line(reference=None),
        line(qa_type="tal"),
        line(scores=[]),
        line(scores={"R2": 3}),
        line(scores={**varied(1), "R2": 6}),
        line(scores={**varied(1), "R2": 2.5}),
        line(judge={**varied(1), "R8": 0}),
    ],
)
def test_wrong_lines_are_named(wrong: str) -> None:
    with pytest.raises(InvalidInput, match=r"^1 lines cannot be read:\nline 2: [a-z]+") as error:
        read_labelled(f"{line()}\n{wrong}\n".encode())
    assert "_Line" not in str(error.value)


def write(path: Path, judge: Callable[[int], dict[str, int]], count: int = 120) -> Path:
    lines = [
        line(prediction="p" * (n % 7 + 1), scores=varied(n), judge=judge(n)) for n in range(count)
    ]
    path.write_text("\n".join(lines))
    return path


def test_the_command_prints_a_table_and_tells_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(calibrate_judge, write(tmp_path / "good.jsonl", varied), as_json=False) == 0
    printed = capsys.readouterr().out
    assert "120 scored, 0 unscored" in printed
    assert "PASSES" in printed
    bad = write(tmp_path / "bad.jsonl", lambda _: scores(1))
    assert status_of(calibrate_judge, bad, as_json=True) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["outcome"]) == (False, "failed")
    assert found["overall"]["spearman"] is None
    assert set(found["aspects"]) == set(ASPECTS)
    assert status_of(calibrate_judge, write(tmp_path / "few.jsonl", varied, 99), as_json=False) == 3
    assert "too few pairs" in capsys.readouterr().out


def test_the_command_without_a_judge_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    assert status_of(calibrate_judge, tmp_path / "empty.jsonl", as_json=False) == 1
    assert "No pair" in capsys.readouterr().err
