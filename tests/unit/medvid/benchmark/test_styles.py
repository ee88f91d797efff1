"""Styles that models write: a text that is not read as it is meant has a warning that says why."""

# ruff: noqa: RUF001 - the styles hold such characters

import json
import time
from pathlib import Path
from typing import Final

import pytest

from medvid.benchmark.diagnosis import diagnose
from medvid.benchmark.ground_truth import GroundTruth, Sample
from medvid.benchmark.report import Advice, Code
from medvid.benchmark.styles import recognise, tidy
from medvid.benchmark.styles.table import STYLES
from medvid.benchmark.tasks import Task, task_of
from medvid.benchmark.test_set import TestSet

CASES: Final = Path(__file__).parents[3] / "cases"
STRINGS: Final = {
    qa_type: [case["prediction"] for case in cases]
    for qa_type, cases in json.loads((CASES / "formats" / "strings.json").read_bytes()).items()
}
QUESTIONS: Final = {
    Task.STG: "Where is the forceps from 66.0 to 74.0 seconds?",
    Task.NEXT_ACTION: "What comes next?",
}
ASPECTS: Final = (
    "Respect for tissue", "Suture/needle handling", "Time and motion", "Flow of operation",
    "Overall performance", "Quality of final product",
)  # fmt: skip
TRUTHS: Final[dict[Task, object]] = {
    Task.TAL: [{"spans": [{"start": 5, "end": 15}, {"start": 30, "end": 40}]}],
    Task.STG: [{"bbox_dict": {"66.0": [10, 10, 50, 50], "74.0": [20, 20, 60, 60]}}],
    Task.DENSE_CAPTIONING: [
        {"start": 0, "end": 20, "caption": "a"}, {"start": 20, "end": 40, "caption": "b"},
    ],
    Task.CVS_ASSESSMENT: [
        {"cvs_scores": {"two_structures": 1, "cystic_plate": 0, "hepatocystic_triangle": 2}}
    ],
    Task.SKILL_ASSESSMENT: [{"skill_scores": dict.fromkeys(ASPECTS, 2)}],
}  # fmt: skip

EXPECTED: Final[dict[str, dict[str, str]]] = {
    "tal": {
        "None.": "refusal",
        "5.0—15.0 seconds.": "dashes",
        "5.0s-15.0s, 30.0s-40.0s": "units_between_numbers",
        "[5.0, 15.0]": "bracketed_times",
        "evidence [[5.0, 15.0], [30, 40]]": "bracketed_times",
        '[{"start": 5.0, "end": 15.0}, {"start": 30.0, "end": 40.0}]': "json",
        "00:05 - 00:15": "clock_times",
        "0:05 to 0:15": "clock_times",
        "00:00:05-00:00:15": "clock_times",
        "<think>In a 3-4 minute clip the tie is late.</think>\n5.0-15.0, 30.0-40.0 seconds.":
            "reasoning",
        "Start: 5.0s, End: 15.0s": "labelled_times",
        "5.0~15.0 seconds": "dashes",
        "5.0−15.0 seconds.": "dashes",
        "The video is from 2024-05-06; 5.0-15.0 seconds.": "dates",
        "": "empty_predictions",
        "seconds: 5.0 -> 15.0": "range_words",
    },
    "stg": {
        "[10, 20, 30, 40] 5.0-10.0 seconds.": "box_style",
        "0.1 seconds: [2.0, 1.0, 3.0, 2.0]": "box_times",
        "66 second: [10, 10, 50, 50]": "box_style",
        "66.0seconds: [10, 10, 50, 50]": "box_style",
        "66.0 s: [10, 10, 50, 50]": "box_style",
        '[{"bbox_2d": [10, 10, 50, 50], "label": "forceps"}]': "json",
        '{"66.0": [10, 10, 50, 50], "74.0": [20, 20, 60, 60]}': "json",
        "<box>(10,10),(50,50)</box>": "box_style",
        "66.0 seconds: (10, 10, 50, 50)": "box_style",
        "66.0 seconds: <10, 10, 50, 50>": "box_style",
        "66.0 seconds: 10, 10, 50, 50": "box_style",
        "66.0 seconds : [10, 10, 50, 50]": "box_style",
        "1:06 seconds: [10, 10, 50, 50]": "clock_times",
        "65.0 seconds: [10, 10, 50, 50] 73.0 seconds: [20, 20, 60, 60]": "box_times",
        "66.0 seconds: [10, 10, 50, 50] 74.0 seconds: [20, 20": "likely_truncated",
        "none": "refusal",
        "66.0 seconds: [50, 50, 10, 10]": "unordered_boxes",
        "Frame 66: [10, 10, 50, 50]": "frames_for_seconds",
        "[[10, 10, 50, 50]]": "low_structure",
        "66.0 seconds: [[10, 10, 50, 50]]": "low_structure",
    },
    "dense_captioning_gpt": {
        "0.0-20.0 seconds: event label: factual description": "template_text",
        "0.0–20.0 seconds: The nurse reads.\n20.0–40.0 seconds: She washes.": "dashes",
        "0.0-20.0 sec: The nurse reads.": "header_style",
        "[0.0, 20.0]: The nurse reads.": "header_style",
        "- 0.0-20.0 seconds: The nurse reads.\n- 20.0-40.0 seconds: She washes.": "header_prefix",
        "1. 0.0-20.0 seconds: The nurse reads.\n2. 20.0-40.0 seconds: She washes.":
            "header_prefix",
        "**0.0-20.0 seconds**: The nurse reads.": "header_prefix",
        "00:00-00:20: The nurse reads.\n00:20-00:40: She washes.": "clock_times",
        '[{"start": 0.0, "end": 20.0, "caption": "The nurse reads."}, '
        '{"start": 20.0, "end": 40.0, "caption": "She washes."}]': "json",
        "**Start Time:** 0.0 **End Time:** 20.0 **Description:** The nurse reads.":
            "labelled_times",
        "Start Time: 0.0 - 20.0 seconds **Description:** The nurse reads.": "header_style",
        "From 0.0 to 20.0 seconds: The nurse reads.\nFrom 20.0 to 40.0 seconds: She washes.":
            "range_words",
        "0.0s to 20.0s: The nurse reads.": "range_words",
        "| 0.0 | 20.0 | The nurse reads. |": "table",
        "  0.0-20.0 seconds: The nurse reads.\n  20.0-40.0 seconds: She washes.": "header_prefix",
        "Here are the events:\n0.0-20.0 seconds: The nurse reads.\n20.0-40.0 seconds: She washes."
        "\nLet me know if you need more.": "chat_text",
        "The nurse reads a sheet and washes hands.": "no_times",
        "": "empty_predictions",
    },
    "cvs_assessment": {
        "[1, 0, 2]": "unnamed_scores",
        "Two  structures: 1, Cystic  plate: 0, Hepatocystic  triangle: 2": "names_altered",
        "Two structures: 1\nCystic plate: 0\nHepatocystic triangle: 2": "lines_for_commas",
        "**Two structures**: 1, **Cystic plate**: 0, **Hepatocystic triangle**: 2": "markup",
        "Two structures: **1**, Cystic plate: **0**, Hepatocystic triangle: **2**": "markup",
        "Two structures - 1, Cystic plate - 0, Hepatocystic triangle - 2": "score_style",
        "Two structures: score 1, Cystic plate: score 0, Hepatocystic triangle: score 2":
            "score_style",
        "Two structures : 1, Cystic plate : 0, Hepatocystic triangle : 2": "score_style",
        "two_structures: 1, cystic_plate: 0, hepatocystic_triangle: 2": "names_altered",
        '{"Two structures": 1, "Cystic plate": 0, "Hepatocystic triangle": 2}': "json",
        "Two structures: one, Cystic plate: zero, Hepatocystic triangle: two": "score_style",
        "Two structure: 1, Cystic plate: 0, Hepatocystic triangle: 2": "names_altered",
        "The two structures score is 1, the cystic plate score is 0, the hepatocystic triangle "
        "score is 2.": "score_style",
        "Two structures: 1 and Cystic plate: 0 and Hepatocystic triangle: 2": "score_style",
        "Criterion 1: 1, Criterion 2: 0, Criterion 3: 2": "unnamed_scores",
        "- Two structures: 1\n- Cystic plate: 0\n- Hepatocystic triangle: 2": "lines_for_commas",
        "": "empty_predictions",
    },
    "skill_assessment": {
        "\n".join(f"{name}: {n}/5" for name, n in zip(ASPECTS, (2, 1, 1, 2, 1, 3), strict=True)):
            "lines_for_commas",
        "2 1 1 2 1 3": "unnamed_scores",
        "novice": "unnamed_scores",
        "expert": "unnamed_scores",
        "N/A": "refusal",
    },
    "next_action": {
        "The next action is tying.": "label_style",
        "Next: tying": "label_style",
        "tie": "not_a_label",
        "knot-tying": "not_a_label",
        "cut": "not_a_label",
        "tying or suturing": "not_a_label",
        "2. tying": "label_style",
        "tying\n\nThe surgeon will tie.": "label_style",
        "<answer>tying</answer>": "answer_tags",
        "I cannot determine.": "refusal",
        "none": "refusal",
        "tyîng": "not_a_label",
        "5.0-15.0 seconds.": "not_a_label",
        "打结": "not_a_label",
    },
    **{
        qa_type: {
            "": "empty_predictions",
            "\n": "empty_predictions",
            "none": "refusal",
            "<think>unfinished": "unfinished_reasoning",
            "I cannot view the video.": "refusal",
        }
        for qa_type in ("video_summary_gpt", "region_caption_gpt")
    },
}  # fmt: skip
SKILL_STYLES: Final = {
    "- ": "lines_for_commas", "2 / 5": "score_style", "2.0/5": "score_style", "**R": "markup",
    "**2/5**": "markup", " = ": "score_style", " (2/5)": "score_style",
    "Respect For": "names_altered", "1. ": "lines_for_commas", '{"': "json", "```": "json",
    "Aspect ": "names_altered", "<think>": "reasoning", "Needle": "names_altered",
    "4/10": "other_scale",
}  # fmt: skip
"""The long ones, by something that only they hold."""


def samples_of(task: Task, count: int, *, truth: bool) -> TestSet:
    made = tuple(
        Sample(index, f"v{index}&&100&&1000&&1.0", task.value, task, "AVOS",
               QUESTIONS.get(task, "q"), f"reference {index}", 1.0, TRUTHS.get(task, []),
               clip_seconds=900.0)
        for index in range(count)
    )  # fmt: skip
    whole = TestSet.from_ground_truth(GroundTruth(made, "version"))
    return whole if truth else whole.public


def warnings_of(text: str, task: Task, *, truth: bool, count: int = 1) -> dict[str, Advice]:
    _, found = diagnose(samples_of(task, count, truth=truth), [text] * count)
    return {str(warning.code): warning for warning in found}


def reason_of(qa_type: str, text: str) -> str | None:
    if qa_type == "skill_assessment" and text not in EXPECTED[qa_type] and "(fair)" not in text:
        return next((code for mark, code in SKILL_STYLES.items() if mark in text), None)
    return EXPECTED[qa_type].get(text)


@pytest.mark.parametrize("truth", [True, False], ids=["truth", "public"])
@pytest.mark.parametrize(
    ("qa_type", "text"), [(q, text) for q, texts in STRINGS.items() for text in texts]
)
def test_each_style_has_a_warning_that_names_the_reason(
    qa_type: str, text: str, *, truth: bool
) -> None:
    task = task_of(qa_type)
    assert task
    found = warnings_of(text, task, truth=truth)
    reason = reason_of(qa_type, text)
    if reason:
        assert reason in found
        assert all(warning.effect and warning.fix for warning in found.values())
        assert text == "" or found[reason].example
    else:
        # Fewer items than there are is no fault of style; only a truth tells sizes from corners.
        assert found.keys() <= {"low_structure"} | ({"xywh_boxes"} if truth else set())


@pytest.mark.parametrize(
    ("task", "text", "code", "tidied"),
    [
        (Task.TAL, "5.0 s–15.0 s", "dashes", "5.0-15.0 s"),
        (Task.TAL, "5.0s - 15.0s", "units_between_numbers", "5.0-15.0s"),
        (Task.TAL, "05:10 - 06:20", "clock_times", "310-380"),
        (Task.TAL, "1:02:03-1:02:09", "clock_times", "3723-3729"),
        (Task.TAL, "0:05.5 - 0:07.25", "clock_times", "5.5-7.25"),
        (Task.TAL, "００：０５－００：１５", "clock_times", "5-15"),
        (Task.TAL, "1 min 5 s - 1 min 15 s", "clock_times", "65-75 seconds"),
        (Task.TAL, "5,5-15,2 seconds", "decimal_commas", "5.5-15.2 seconds"),
        (Task.TAL, "5,5-10,2, 20,1-30,9", "decimal_commas", "5.5-10.2, 20.1-30.9"),
        (Task.TAL, "between 5 and 15 seconds", "range_words", "5-15 seconds"),
        (Task.TAL, "5.0秒至15.0秒", "range_words", "5.0-15.0秒"),
        (Task.TAL, "| 1 | 5.0 | 15.0 |\n| 2 | 20.0 | 30.0 |", "table",
         "| 5.0-15.0 |  |\n| 20.0-30.0 |  |"),
        (Task.TAL, '```json\n{"start_time": "00:05", "end_time": "00:15"}\n```', "json",
         "5-15 seconds."),
        (Task.TAL, "Let me look at 3-4 frames.</think>\n5-15 seconds", "reasoning", "5-15 seconds"),
        (Task.TAL, "Frames 3-4 say \\boxed{5-15}", "answer_tags", "5-15"),
        (Task.TAL, "15.0-5.0 seconds", "inverted_segments", None),
        (Task.TAL, "00h01m05s - 00h01m15s", "clock_times", "65-75 seconds"),
        (Task.TAL, "5.0--15.0", "dashes", "5.0-15.0"),
        (Task.TAL, "05:10", "clock_times", None),
        (Task.TAL, "5.0, 15.0", "unread_times", None),
        (Task.TAL, "frames 150-450", "frames_for_seconds", None),
        (Task.TAL, "-5.0", "unparsable", None),
        (Task.TAL, "I am unable to view the video.", "refusal", None),
        (Task.TAL, "<think>The tie is at 3-4", "unfinished_reasoning", None),
        (Task.STG, "66.0秒: [10, 10, 50, 50]", "box_style", None),
        (Task.STG, "66.0 seconds: [0.1, 0.2, 0.5, 0.9] 74.0 seconds: [0.1, 0.2, 0.5, 0.9]",
         "normalised_boxes", None),
        (Task.STG, "66,0 seconds: [10, 10, 50, 50]", "decimal_commas",
         "66.0 seconds: [10, 10, 50, 50]"),
        (Task.STG, "66.0 seconds: x1=10, y1=10, x2=50, y2=50", "box_style", None),
        (Task.STG, "66.0 seconds: [10; 10; 50; 50]", "box_style",
         "66.0 seconds: [10, 10, 50, 50]"),
        (Task.STG, '[{"time": 66.0, "bbox": [1, 2, 3, 4]}]', "json",
         "66.0 seconds: [1, 2, 3, 4]"),
        (Task.STG, "[[10, 10, 50, 50], [20, 20, 60.0, 60]]", "box_style",
         "[[10, 10, 50, 50]] [[20, 20, 60, 60]]"),
        (Task.STG, "[[10.5, 10, 50, 50], [20, 20, 60, 60]]", "box_style", None),
        (Task.DENSE_CAPTIONING, "* **00:00 – 00:20**: A.\n* **00:20 – 00:40**: B.",
         "header_prefix", "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "### 0-20 seconds: A.\n### 20-40 seconds: B.", "header_prefix",
         "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "0.0s-20.0s: A.", "units_between_numbers",
         "0.0-20.0 seconds: A."),
        (Task.DENSE_CAPTIONING, "| Start | End | Text |\n|---|---|---|\n| 0 | 20 | A |", "table",
         "| Start | End | Text |\n|---|---|---|\n0-20 seconds: A"),
        (Task.DENSE_CAPTIONING, "0-20 seconds: A. 20-40 seconds: B.", "header_prefix",
         "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "1. 0-20 seconds: A.\n2. 20-40 seconds: B.", "header_prefix",
         "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "**Event 1:** 0-20 seconds: A.\n**Event 2:** 20-40 seconds: B.",
         "header_prefix", "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "Step 1: 0-20 seconds: A. Step 2: 20-40 seconds: B.",
         "header_prefix", "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "0-20 seconds: A, 20-40 seconds: B.", "header_prefix",
         "0-20 seconds: A\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "0-20 seconds: A | 20-40 seconds: B", "header_prefix",
         "0-20 seconds: A\n20-40 seconds: B"),
        (Task.DENSE_CAPTIONING, "0,0-20,5 seconds: A.", "decimal_commas",
         "0.0-20.5 seconds: A."),
        (Task.DENSE_CAPTIONING, "0:00 - 0:20 A.\n0:20 - 0:40 B.", "clock_times",
         "0-20 seconds: A.\n20-40 seconds: B."),
        (Task.CVS_ASSESSMENT, "The CVS is achieved.", "unnamed_scores", None),
        (Task.CVS_ASSESSMENT, "Two structures: 3, Cystic plate: 0, Hepatocystic triangle: 0",
         "other_scale", None),
        (Task.CVS_ASSESSMENT, "Two structures: 0.50, Cystic plate: 0, Hepatocystic triangle: 1.0",
         "other_scale", None),
        (Task.SKILL_ASSESSMENT, "Respect for tissue: 2.5/5, Time and motion: 1.5/5", "other_scale",
         None),
        (Task.VIDEO_SUMMARY, "It seems that no video was uploaded.", "refusal", None),
        (Task.SKILL_ASSESSMENT, "**Respect for tissue**: 2/5", "markup",
         "Respect for tissue: 2/5"),
        (Task.SKILL_ASSESSMENT, "Respect for tissue: 2 out of 5", "score_style",
         "Respect for tissue: 2/5"),
        (Task.CVS_ASSESSMENT, "Two structures: -1, Cystic plate = 0", "score_style",
         "Cystic plate: 0"),
        (Task.NEXT_ACTION, "<think>Hm.</think>\n<answer>tying</answer>", "reasoning", "tying"),
        (Task.VIDEO_SUMMARY, "<|im_start|>assistant\nThe knife cuts.<|im_end|>", "chat_text",
         "The knife cuts."),
        (Task.VIDEO_SUMMARY, "Sure! Here is the summary:\n\nThe knife cuts.", "chat_text", None),
        (Task.REGION_CAPTION, '{"caption": "The knife cuts."}', "json", None),
        (Task.REGION_CAPTION, "抱歉，我无法观看视频。", "refusal", None),
    ],
)  # fmt: skip
def test_neighbours_of_the_known_styles(
    task: Task, text: str, code: str, tidied: str | None
) -> None:
    for truth in (True, False):
        assert code in warnings_of(text, task, truth=truth)
    changed, names = tidy(text, task)
    if tidied is not None:
        assert (changed, code in names) == (tidied, True)
    assert set(recognise(changed, task)).isdisjoint(names)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task.TAL, "05:10"),
        (Task.TAL, "None."),
        (Task.STG, "66.0 seconds: x1=10, y1=10, x2=50, y2=50"),
        (Task.STG, "[[10.5, 10, 50, 50]]"),
        (Task.CVS_ASSESSMENT, "The critical view is good."),
        (Task.SKILL_ASSESSMENT, "The surgeon is an expert."),
        (Task.REGION_CAPTION, '{"caption": "The knife cuts."}'),
    ],
)
def test_tidying_is_no_cure_of_what_it_does_not_change(task: Task, text: str) -> None:
    assert tidy(text, task) == (text, ())
    found = warnings_of(text, task, truth=False)
    assert found
    assert not [warning.fix for warning in found.values() if "--tidy" in warning.fix]


def test_tidying_is_the_cure_where_it_changes_some() -> None:
    texts = ["[1, 2, 3, 4]", "x1=1, y1=2, x2=3, y2=4", "5 s: [1, 2, 3, 4]"]
    _, found = diagnose(samples_of(Task.STG, 3, truth=False), texts)
    fixes = {str(warning.code): warning.fix for warning in found}
    assert "--tidy" in fixes["unparsable"]
    assert "--tidy" in fixes["box_style"]


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task.TAL, "5.0s to 15.0s"),
        (Task.TAL, "10-20,30-40"),
        (Task.TAL, "At 5.0-15.0 seconds, and again at 20-30 seconds."),
        (Task.STG, "66.0 seconds: [1.5, 2, 30, 40]\n74.0 seconds: [1, 2, 30, 40]"),
        (Task.DENSE_CAPTIONING, "0-20 seconds: A, then 3-4 cuts.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "**Start Time:** 0 - 20 seconds **Description:** A."),
        (Task.DENSE_CAPTIONING, "0-20 seconds: A, 3-5 seconds: a cut.\n20-40 seconds: B."),
        (Task.DENSE_CAPTIONING, "0-20 seconds: A rests at 3-5 seconds: long.\n20-40 seconds: B."),
        (Task.CVS_ASSESSMENT, "Cystic plate: 0, Two structures: 1, Hepatocystic triangle: 2."),
        (
            Task.CVS_ASSESSMENT,
            "Two structures: 1.0, Cystic plate: 0, Hepatocystic triangle: 2. Confidence: 0.9",
        ),
        (Task.NEXT_ACTION, "tying."),
        (Task.VIDEO_SUMMARY, "The video is undergoing no change; I see 5-15 cuts."),
        (Task.VIDEO_SUMMARY, "Okay-looking tissue is cut."),
    ],
)
def test_what_is_read_as_it_is_meant_has_no_warning(task: Task, text: str) -> None:
    for truth in (True, False):
        assert warnings_of(text, task, truth=truth).keys() <= {"low_structure"}
    assert recognise(text, task) == () or task is Task.NEXT_ACTION


@pytest.mark.parametrize(
    "piece",
    ["<think>", "1-", "1 ", "9", " ", "1:", "1,", "[1,", "[", "(1,1),", "start: 1 ",
     "two structures ", "\n- ", "between 1 and ", "|1", "1 seconds: [", "```", "\\boxed{",
     "1\u3000", "'1': [1,1,1,1] "],
)  # fmt: skip
def test_hostile_texts_take_no_longer_than_their_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        started = time.process_time()  # others may use the machine, too
        for task in Task:
            recognise(text, task)
        return time.process_time() - started

    seconds(1000)
    assert seconds(1 << 16) < 200 * max(min(seconds(1 << 12) for _ in range(3)), 0.002)


def test_every_style_is_a_code_with_effect_and_fix() -> None:
    assert {str(code) for code in STYLES} <= {code.value for code in Code}
    assert all(style.message and style.effect and style.fix for style in STYLES.values())
