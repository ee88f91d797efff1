"""Holding a judge against humans: figures, marks, and the command around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medvid.benchmark.tasks import ASPECTS
from services.operate.agreement import LEAST_PAIRS, LabelledPair, calibrate
from services.operate.calibrate import calibrate_judge, read_labelled
from shared.runtime.errors import InvalidInput


def scores(value: int) -> dict[str, int]:
    return dict.fromkeys(ASPECTS, value)


def varied(number: int) -> dict[str, int]:
    steps = dict(zip(ASPECTS, (1, 2, 3, 4, 6), strict=True))
    return {aspect: 1 + number * step % 5 for aspect, step in steps.items()}


def pairs(
    judge: Callable[[int], dict[str, int] | None],
    *,
    count: int = 60,
    length: Callable[[int], int] = lambda number: 20 + number * 7 % 31,
) -> list[LabelledPair]:
    return [
        LabelledPair("p" * length(number), "r", "video_summary", (varied(number),), judge(number))
        for number in range(count)
    ]


def test_a_judge_that_is_the_human_passes_in_full() -> None:
    found = calibrate(pairs(varied))
    assert found.failed == ()
    for one in (found.overall, *found.aspects.values()):
        assert (one.spearman, one.kappa, one.alpha) == pytest.approx((1, 1, 1))
        assert one.judge_mean == one.human_mean
        assert one.human_alpha is None


def test_a_judge_that_says_the_opposite_fails() -> None:
    found = calibrate(pairs(lambda n: {key: 6 - score for key, score in varied(n).items()}))
    assert found.overall.spearman == pytest.approx(-1)
    assert found.overall.kappa is not None
    assert found.overall.kappa < -0.5
    assert set(found.failed) >= {"spearman", "kappa", "alpha"}


def test_a_judge_that_always_says_the_same_has_no_correlation_and_fails() -> None:
    found = calibrate(pairs(lambda _: scores(4)))
    assert found.overall.spearman is None
    assert found.overall.kappa == 0
    assert "spearman" in found.failed


def test_where_nobody_varies_nothing_is_defined() -> None:
    same = [LabelledPair("p", "r", "video_summary", (scores(3),), scores(3))] * LEAST_PAIRS
    overall = calibrate(same).overall
    assert (overall.spearman, overall.kappa, overall.alpha) == (None, None, None)


def test_a_judge_that_loves_length_is_found_out() -> None:
    def generous(number: int) -> dict[str, int]:
        return {key: min(5, score + (number > 30)) for key, score in varied(number).items()}

    found = calibrate(pairs(generous, length=lambda number: 10 + number * 10))
    assert found.length_bias is not None
    assert found.length_bias > 0.3
    assert found.failed == ("length_bias",)


def test_unscored_pairs_are_left_out_and_few_pairs_prove_nothing() -> None:
    found = calibrate(pairs(lambda n: varied(n) if n < LEAST_PAIRS - 1 else None))
    assert found.overall.pairs == LEAST_PAIRS - 1
    assert found.failed == ("pairs",)
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
    with pytest.raises(InvalidInput, match=r"^1 lines cannot be read:\nline 2: "):
        read_labelled(f"{line()}\n{wrong}\n".encode())


def write(path: Path, judge: Callable[[int], dict[str, int]]) -> Path:
    lines = [
        line(prediction="p" * (n % 7 + 1), scores=varied(n), judge=judge(n)) for n in range(40)
    ]
    path.write_text("\n".join(lines))
    return path


def test_the_command_prints_a_table_and_tells_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate_judge(write(tmp_path / "good.jsonl", varied), as_json=False) == 0
    printed = capsys.readouterr().out
    assert "40 scored, 0 unscored" in printed
    assert "PASSES" in printed
    assert calibrate_judge(write(tmp_path / "bad.jsonl", lambda _: scores(1)), as_json=True) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is False
    assert found["overall"]["spearman"] is None
    assert set(found["aspects"]) == set(ASPECTS)


def test_the_command_without_a_judge_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    assert calibrate_judge(tmp_path / "empty.jsonl", as_json=False) == 1
    assert "no pair" in capsys.readouterr().err
