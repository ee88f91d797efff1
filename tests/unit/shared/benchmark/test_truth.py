"""The truth of a sample: every shape SPEC 1 lists, and errors that name the field."""

from __future__ import annotations

import pytest

from shared.benchmark import truth
from shared.benchmark.ground_truth import Sample
from shared.benchmark.tasks import task_of


def sample(qa_type: str, struc_info: object, reference: str = "") -> Sample:
    task = task_of(qa_type)
    assert task is not None
    return Sample(0, "v&&0&&9&&1.0", qa_type, task, "AVOS", "?", reference, 1.0, struc_info)


SEGMENT = {"start": 1, "end": 2.5, "caption": "a"}


def test_all_spans_of_all_items_count() -> None:
    info = [
        {"action": "x", "spans": [{"start": 1, "end": 2}, {"start": 3, "end": 4}]},
        {"action": "y", "spans": [{"start": 5.5, "end": 6}]},
    ]
    assert truth.spans(sample("tal", info)) == [(1, 2), (3, 4), (5.5, 6)]
    assert truth.spans(sample("tal", [])) == []


@pytest.mark.parametrize(
    "info",
    [
        [{"bbox_dict": {"8": [1, 2, 3, 4], "9.04": [5, 6, 7, 8.5]}}],
        {"bbox_dict": {"8": [1, 2, 3, 4], "9.04": [5, 6, 7, 8.5]}},
        {"8": [1, 2, 3, 4], "9.04": [5, 6, 7, 8.5]},
        [{"bbox_dict": {"8": [1, 2, 3, 4]}}, {"bbox_dict": {"9.04": [5, 6, 7, 8.5]}}],
    ],
)
def test_boxes_in_a_dict_or_bare_with_keys_of_one_decimal(info: object) -> None:
    assert truth.boxes(sample("stg", info)) == [("8.0", (1, 2, 3, 4)), ("9.0", (5, 6, 7, 8.5))]


@pytest.mark.parametrize(
    "info",
    [[[SEGMENT]], [{"dc_segments": [SEGMENT]}], [SEGMENT], {"dc_segments": [SEGMENT]}],
)
def test_captions_in_each_nesting(info: object) -> None:
    assert truth.captions(sample("dense_captioning_gpt", info)) == [(1, 2.5, "a")]


def test_component_scores_ignore_other_keys() -> None:
    info = [{"cvs_scores": {"two_structures": 0, "cystic_plate": 2, "total": "n/a"}}]
    assert truth.component_scores(sample("cvs_assessment", info)) == {
        "two_structures": 0,
        "cystic_plate": 2,
    }


def test_scores_fall_back_to_the_reference_answer() -> None:
    cvs = sample("cvs_assessment", [], "Two structures: 1, Cystic plate: 0")
    assert truth.component_scores(cvs) == {"two_structures": 1, "cystic_plate": 0}
    skill = sample("skill_assessment", [], "Time and motion: 3/5, Beauty: 5/5")
    assert truth.aspect_scores(skill) == {"Time and motion": 3}
    assert truth.aspect_scores(sample("skill_assessment", [], "expert")) == {}


def test_aspect_scores() -> None:
    info = [{"skill_level": "N", "skill_scores": {"Respect for tissue": 2, "Other": 1}}]
    assert truth.aspect_scores(sample("skill_assessment", info)) == {"Respect for tissue": 2}


@pytest.mark.parametrize(
    ("qa_type", "info", "field"),
    [
        ("tal", None, "struc_info"),
        ("tal", [{"action": "x"}], "struc_info[0].spans: missing"),
        ("tal", [{"spans": [{"start": 1}]}], "struc_info[0].spans[0].end: missing"),
        ("tal", [{"spans": [{"start": "1", "end": 2}]}], "struc_info[0].spans[0].start"),
        ("tal", [{"spans": [{"start": 1, "end": float("nan")}]}], "struc_info[0].spans[0].end"),
        ("tal", [{"spans": [{"start": 1, "end": 10**400}]}], "struc_info[0].spans[0].end"),
        ("tal", [{"spans": [{"start": True, "end": 2}]}], "struc_info[0].spans[0].start"),
        ("stg", [{"bbox_dict": {"x": [1, 2, 3, 4]}}], "struc_info[0].bbox_dict key"),
        ("stg", [{"bbox_dict": {"nan": [1, 2, 3, 4]}}], "struc_info[0].bbox_dict key"),
        ("stg", [{"bbox_dict": {"1.0": [1, 2, 3]}}], "struc_info[0].bbox_dict['1.0']"),
        ("stg", {"1.0": [1, 2, 3, None]}, "struc_info['1.0'][3]"),
        ("dc", [[{"start": 1, "end": 2}]], "struc_info[0][0].caption: missing"),
        ("dc", [{"dc_segments": 3}], "struc_info[0].dc_segments"),
        ("dc", ["a"], "struc_info[0]"),
        ("dc", [{**SEGMENT, "caption": 3}], "struc_info[0].caption"),
        ("cvs_assessment", [{}], "struc_info[0].cvs_scores: missing"),
        (
            "cvs_assessment",
            [{"cvs_scores": {"cystic_plate": 1.5}}],
            "struc_info[0].cvs_scores['cystic_plate']",
        ),
        ("skill_assessment", [{"skill_scores": []}], "struc_info[0].skill_scores"),
    ],
)
def test_malformed_truth_is_an_error_that_names_the_field(
    qa_type: str, info: object, field: str
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is compared below
        truth.check(sample(qa_type, info))
    assert str(error.value).startswith(field)


def test_tasks_whose_truth_is_the_reference_answer_have_nothing_to_check() -> None:
    truth.check(sample("next_action", None, "cut"))
    truth.check(sample("video_summary", "anything", "summary"))
