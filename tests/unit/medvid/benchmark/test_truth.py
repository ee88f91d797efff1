"""The truth of a sample: every shape SPEC 1 lists, and errors that name the field."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medvid.benchmark import truth
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.tasks import task_of


def sample(qa_type: str, struc_info: object, reference: str = "") -> Sample:
    task = task_of(qa_type)
    assert task is not None
    return Sample(0, "v&&0&&9&&1.0", qa_type, task, "AVOS", "?", reference, 1.0, struc_info)


SEGMENT = {"start": 1, "end": 2.5, "caption": "a"}
OTHER = {"start": 3, "end": 4, "caption": "b"}


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
        [{"bbox_dict": {"8": [1, 2, 3, 4], "9.04": [5, 6, 7, 8.5]}}, {"bbox_dict": {"x": 1}}],
    ],
)
def test_boxes_in_a_dict_or_bare_with_keys_of_one_decimal(info: object) -> None:
    assert truth.boxes(sample("stg", info)) == [("8.0", (1, 2, 3, 4)), ("9.0", (5, 6, 7, 8.5))]
    assert truth.box_keys(sample("stg", info)) == ["8", "9.04"]


def test_no_item_is_no_box() -> None:
    assert truth.boxes(sample("stg", [])) == []
    assert truth.box_keys(sample("stg", [{}])) == []


@pytest.mark.parametrize(
    "info",
    [
        [[SEGMENT]],
        [[SEGMENT], [OTHER]],
        [{"dc_segments": [SEGMENT]}],
        [{"dc_segments": [SEGMENT]}, {"dc_segments": [OTHER]}],
        [SEGMENT],
        {"dc_segments": [SEGMENT]},
    ],
)
def test_captions_in_each_nesting_of_the_first_item(info: object) -> None:
    assert truth.captions(sample("dense_captioning_gpt", info)) == [(1, 2.5, "a")]


@pytest.mark.parametrize("info", [[], [[]], [{"dc_segments": []}]])
def test_no_segments_are_no_captions(info: object) -> None:
    assert truth.captions(sample("dense_captioning_gpt", info)) == []


@pytest.mark.parametrize("nested", [lambda found: found, lambda found: [found]])
def test_segments_without_a_caption_are_left_out_and_times_may_be_texts(
    nested: Callable[[object], object],
) -> None:
    info = nested([
        {"start": 0, "end": 4},
        {"start": "soon", "end": 4, "caption": None},
        {"start": "5", "end": " 7.5", "caption": ""},
        OTHER,
    ])  # fmt: skip
    assert truth.captions(sample("dc", info)) == [(5, 7.5, ""), (3, 4, "b")]


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


@pytest.mark.parametrize("info", [[{"cvs_scores": {"total": 3}}], [{"cvs_scores": {}}], [{}],
                                  [{"cvs_scores": None}]])  # fmt: skip
def test_where_no_component_is_listed_the_reference_answer_is_read(info: object) -> None:
    found = truth.component_scores(sample("cvs_assessment", info, "Cystic plate: 1"))
    assert found == {"cystic_plate": 1}


@pytest.mark.parametrize("info", [[{"skill_level": "N"}], [{"skill_scores": {}}],
                                  [{"skill_scores": None}]])  # fmt: skip
def test_where_no_aspect_score_is_listed_the_reference_answer_is_read(info: object) -> None:
    found = truth.aspect_scores(sample("skill_assessment", info, "Time and motion: 3/5"))
    assert found == {"Time and motion": 3}


def test_a_list_of_other_aspects_is_a_list() -> None:
    info = [{"skill_scores": {"Beauty": 5}}]
    assert truth.aspect_scores(sample("skill_assessment", info, "Time and motion: 3/5")) == {}


def test_only_the_first_item_is_read_for_scores() -> None:
    cvs = [{"cvs_scores": {"cystic_plate": 1}}, {"cvs_scores": {"two_structures": "x"}}]
    assert truth.component_scores(sample("cvs_assessment", cvs)) == {"cystic_plate": 1}
    skill = [{"skill_scores": {"Time and motion": 3}}, {"skill_scores": {"Time and motion": 4}}]
    assert truth.aspect_scores(sample("skill_assessment", skill)) == {"Time and motion": 3}


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
        ("dc", [[{"end": 2, "caption": "a"}]], "struc_info[0][0].start: missing"),
        ("dc", [[{**SEGMENT, "end": "2s"}]], "struc_info[0][0].end"),
        ("dc", [[{**SEGMENT, "end": "nan"}]], "struc_info[0][0].end"),
        ("dc", [{"dc_segments": 3}], "struc_info[0].dc_segments"),
        ("dc", ["a"], "struc_info[0]"),
        ("dc", [{**SEGMENT, "caption": 3}], "struc_info[0].caption"),
        ("cvs_assessment", [{"cvs_scores": [1]}], "struc_info[0].cvs_scores"),
        ("cvs_assessment", None, "struc_info"),
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
