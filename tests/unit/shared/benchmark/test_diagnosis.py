"""The diagnosis: what it counts with and without truth, and when it warns."""

import pytest

from shared.benchmark.diagnosis import diagnose
from shared.benchmark.ground_truth import GroundTruth, Sample
from shared.benchmark.report import Advice, TaskDiagnosis
from shared.benchmark.tasks import Task
from shared.benchmark.test_set import TestSet

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


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task.STG, boxes(3)),
        (Task.STG, boxes(3) + " 3.0 seconds: [1, 2"),
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
    _, warnings = diagnosed(Task.NEXT_ACTION, list(texts))
    assert (warnings["constant"].count, warnings["constant"].examples) == (15, (0,))


def test_boxes_within_one_and_times_in_frames_are_noticed() -> None:
    _, warnings = diagnosed(Task.STG, [boxes(6, "0.1, 0.2, 0.5, 1.0")] * 12)
    assert warnings["normalised_boxes"].count == 12
    _, warnings = diagnosed(Task.TAL, ["300-600, 700-900"] * 12)
    assert warnings["times_in_frames"].count == 12
    _, warnings = diagnosed(Task.TAL, ["3000-6000"] * 12, truth=False)
    assert warnings["times_in_frames"].count == 12


def test_empty_and_unreadable_texts_are_told_apart() -> None:
    found, warnings = diagnosed(Task.STG, ["", " \n", "nothing here", boxes(6)])
    assert (found.empty, found.parsed) == (2, 1)
    assert warnings["empty_predictions"].examples == (0, 1)
    assert warnings["unparsable"].examples == (2,)
