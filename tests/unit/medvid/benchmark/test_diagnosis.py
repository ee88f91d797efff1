"""The diagnosis: what it counts with and without truth, and when it warns."""

from dataclasses import replace

import pytest

from medvid.benchmark.diagnosis import diagnose
from medvid.benchmark.ground_truth import GroundTruth, Sample
from medvid.benchmark.report import Advice, TaskDiagnosis
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestSet

BOXES = {f"{second}.0": [10, 20, 30, 40] for second in range(6)}
TRUTHS: dict[Task, object] = {
    Task.TAL: [{"spans": [{"start": 1, "end": 2}, {"start": 5, "end": 9}]}],
    Task.STG: [{"bbox_dict": BOXES}],
    Task.DENSE_CAPTIONING: [{"start": 1, "end": 9, "caption": "Cut."}],
    Task.CVS_ASSESSMENT: [{"cvs_scores": {"two_structures": 1, "cystic_plate": 2}}],
    Task.SKILL_ASSESSMENT: [{"skill_scores": {"Time and motion": 3, "Flow of operation": 4}}],
}


def samples(task: Task, count: int, *, truth: bool = True) -> TestSet:
    made = tuple(
        Sample(index, f"v{index}&&100&&1000&&1.0", task.value, task, "AVOS", "q",
               f"reference {index}", 1.0, TRUTHS.get(task, []), clip_seconds=900.0)
        for index in range(count)
    )  # fmt: skip
    whole = TestSet.from_ground_truth(GroundTruth(made, "version"))
    return whole if truth else TestSet(whole.items)


def boxes(count: int, box: str = "1, 2, 3, 4") -> str:
    return " ".join(f"{second}.0 seconds: [{box}]" for second in range(count))


def diagnosed(
    task: Task, texts: list[str | None], *, truth: bool = True
) -> tuple[TaskDiagnosis, dict[str, Advice]]:
    (found,), warnings = diagnose(samples(task, len(texts), truth=truth), texts)
    return found, {str(warning.code): warning for warning in warnings}


@pytest.mark.parametrize(
    ("task", "text", "emitted", "required", "covered"),
    [
        (Task.TAL, "1-2 and 5-9 and 11-12", 3, 2, 2),
        (Task.TAL, "1-2", 1, 2, 1),
        (Task.STG, boxes(6), 6, 6, 6),
        (Task.STG, boxes(2), 2, 6, 2),
        (Task.STG, "7.0 seconds: [1, 2, 3, 4]", 1, 6, 0),
        (Task.STG, "[[1, 2, 3, 4]]", 1, 6, 1),
        (Task.DENSE_CAPTIONING, "1-9 seconds: Cut.", 1, 1, 1),
        (Task.CVS_ASSESSMENT, "Two structures: 1", 1, 2, 1),
        (Task.SKILL_ASSESSMENT, "Time and motion: 3/5, Flow of operation: 2/5", 2, 2, 2),
        (Task.NEXT_ACTION, "cut", 1, 1, 1),
        (Task.VIDEO_SUMMARY, " ", 0, 1, 0),
    ],
)
def test_structure_is_counted(
    task: Task, text: str, emitted: int, required: int, covered: int
) -> None:
    found, _ = diagnosed(task, [text, None])
    assert (found.samples, found.answered, found.parsed) == (2, 1, int(emitted > 0))
    assert (found.emitted, found.required, found.covered) == (emitted, required, covered)
    bare, _ = diagnosed(task, [text], truth=False)
    assert (bare.emitted, bare.required, bare.covered) == (emitted, None, None)
    parts = {Task.CVS_ASSESSMENT: 3, Task.SKILL_ASSESSMENT: 6}.get(task, 1)
    thirty, _ = diagnosed(task, [text] * 30, truth=False)
    assert (thirty.required, thirty.covered) == (30 * parts, 30 * min(emitted, parts))


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task.STG, boxes(3) + " 3.0 seconds: [1, 2"),
        (Task.STG, boxes(3) + " 3.0 sec"),
        (Task.TAL, "1.0-2.0, 5.0"),
        (Task.CVS_ASSESSMENT, "Two structures: 1, Cystic pla"),
        (Task.CVS_ASSESSMENT, "Two structures: 1, Cystic plate:"),
        (Task.SKILL_ASSESSMENT, "Time and motion: 3/5, Flow of operation: 3/"),
        (Task.DENSE_CAPTIONING, "1-9 seconds: Cut.\n9-12 seconds: Tie the"),
        (Task.TAL, "1.0-2.0, 5.0-"),
        (Task.DENSE_CAPTIONING, "1-9 seconds: Cut.\n9-"),
        (Task.SKILL_ASSESSMENT, "Time and motion: 3/5, Flow of op"),
        (Task.VIDEO_SUMMARY, "the surgeon cuts and " * 20),
    ],
)
def test_cut_off_texts_are_noticed(task: Task, text: str) -> None:
    _, warnings = diagnosed(task, [text] * 20)
    assert warnings["likely_truncated"].count == 20
    assert warnings["likely_truncated"].examples == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task.STG, boxes(3)),
        (Task.CVS_ASSESSMENT, "Two structures: 1"),
        (Task.SKILL_ASSESSMENT, "Time and motion: 3/5"),
    ],
)
def test_short_but_complete_texts_lack_structure_and_are_not_cut_off(
    task: Task, text: str, *, truth: bool
) -> None:
    _, warnings = diagnosed(task, [f"{text}{' ' * index}" for index in range(30)], truth=truth)
    expected = {"low_structure"} if truth or task is not Task.STG else set()
    assert set(warnings) - {"constant"} == expected


def test_complete_texts_raise_no_suspicion() -> None:
    for task, text in (
        (Task.TAL, "1-2, 5-9 seconds."),
        (Task.STG, boxes(6)),
        (Task.DENSE_CAPTIONING, "1-9 seconds: Cut."),
        (Task.VIDEO_SUMMARY, "The surgeon cuts. " * 20),
    ):
        _, warnings = diagnosed(task, [f"{text}{' ' * index}\n" for index in range(20)])
        assert set(warnings) <= {"constant"}


def test_the_same_text_for_different_answers_is_noticed() -> None:
    texts = ["same"] * 15 + [f"other {index}" for index in range(5)]
    for truth in (True, False):
        _, warnings = diagnosed(Task.NEXT_ACTION, list(texts), truth=truth)
        assert (warnings["constant"].count, warnings["constant"].examples) == (15, (0,))


def test_scores_may_repeat_without_a_truth() -> None:
    same = "Two structures: 0, Cystic plate: 0, Hepatocystic triangle: 0"
    texts = [same] * 16 + [same.replace("0", "1")] * 4
    _, warnings = diagnosed(Task.CVS_ASSESSMENT, list(texts), truth=False)
    assert not warnings


def test_boxes_on_a_scale_of_1000_are_noticed() -> None:
    _, warnings = diagnosed(Task.STG, [boxes(6, "400, 300, 995, 990")] * 12, truth=False)
    assert "per_mille_boxes" in warnings
    _, warnings = diagnosed(Task.STG, [boxes(6, "400, 300, 1280, 710")] * 12, truth=False)
    assert "per_mille_boxes" not in warnings


def test_more_segments_than_a_clip_can_hold_are_noticed() -> None:
    many = ", ".join(f"{n}-{n + 1}" for n in range(1000))
    _, warnings = diagnosed(Task.TAL, [many] * 12, truth=False)
    assert warnings["too_many_segments"].count == 12
    some = ", ".join(f"{n}-{n + 1}" for n in range(20))
    assert "too_many_segments" not in diagnosed(Task.TAL, [some] * 12, truth=False)[1]
    assert diagnosed(Task.TAL, [some] * 12)[1]["too_many_segments"].count == 12


def test_next_actions_are_compared_with_labels() -> None:
    texts = ["tying"] * 6 + ["Tying."] * 4 + ["put a knot"] * 10
    found, warnings = diagnosed(Task.NEXT_ACTION, list(texts), truth=False)
    assert (found.exact, found.by_similarity, found.unchecked) == (6, 14, 0)
    assert warnings["not_a_label"].count == 10
    assert '"put a knot" (10)' in warnings["not_a_label"].message


def test_labels_that_are_not_public_are_not_checked() -> None:
    whole = samples(Task.NEXT_ACTION, 20)
    assert whole.truth
    items = tuple(replace(item, source="EgoSurgery") for item in whole.items)
    texts = ["reference 1"] * 10 + ["reference 2"] * 10
    (found,), warnings = diagnose(TestSet(items), texts)
    assert (found.exact, found.by_similarity, found.unchecked) == (0, 0, 20)
    assert "not_a_label" not in {warning.code for warning in warnings}


def test_counts_without_a_truth_need_thirty_answers() -> None:
    for answered, required in ((29, None), (30, 90)):
        texts = ["Two structures: 1"] * answered
        found, warnings = diagnosed(Task.CVS_ASSESSMENT, list(texts), truth=False)
        assert found.required == required
        assert "low_structure" in warnings


def test_a_warning_has_an_example_that_is_safe_to_show() -> None:
    _, warnings = diagnosed(Task.TAL, ["\x1b[31m\u202e00:05-00:15"])
    assert warnings["clock_times"].example == '"\\u001b[31m\\u202e00:05-00:15"'
    assert "--tidy" in warnings["clock_times"].fix


def test_boxes_within_one_and_times_in_frames_are_noticed() -> None:
    _, warnings = diagnosed(Task.STG, [boxes(6, "0.1, 0.2, 0.5, 1.0")] * 12)
    assert warnings["normalised_boxes"].count == 12
    _, warnings = diagnosed(Task.TAL, ["300-600, 700-900"] * 12)
    assert warnings["times_in_frames"].count == 12
    _, warnings = diagnosed(Task.TAL, ["3000-6000"] * 12, truth=False)
    assert warnings["times_in_frames"].count == 12


def test_empty_and_unreadable_texts_are_distinguished() -> None:
    found, warnings = diagnosed(Task.STG, ["", " \n", "nothing here", boxes(6)])
    assert (found.empty, found.parsed) == (2, 1)
    assert warnings["empty_predictions"].examples == (0, 1)
    assert warnings["unparsable"].examples == (2,)
