"""The metrics' own rules: ties, thresholds, missing predictions, sources, hostile numbers."""

# ruff: noqa: SLF001 - the two arithmetic paths of a metric are compared with each other

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.embedder import Embeddings
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.metrics import dvc, stg, tal
from medvid.benchmark.parsing.dvc import CaptionSegment
from medvid.benchmark.parsing.tal import Segment
from medvid.benchmark.scorecard import score
from medvid.benchmark.tasks import RULE_METRIC_KEYS, Task, task_of
from medvid.benchmark.versions import METRIC_VERSION
from tests.depth import examples


def sample(
    qa_type: str, info: object = (), reference: str = "", source: str = "AVOS", question: str = ""
) -> Sample:
    task = task_of(qa_type)
    assert task is not None
    info = list(info) if isinstance(info, tuple) else info
    return Sample(0, "v&&0&&9&&2.0", qa_type, task, source, question, reference, 2.0, info)


def numbered(samples: Sequence[Sample]) -> list[Sample]:
    return [
        Sample(index, s.id, s.qa_type, s.task, s.source, s.question, s.reference, s.fps, s.truth)
        for index, s in enumerate(samples)
    ]


def by_length(texts: Sequence[str]) -> Embeddings:
    """Embed texts by their length: a stand-in whose nearest label is easy to see."""
    angles = np.array([len(text) for text in texts], dtype=np.float32) / 100
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


SPANS = ({"spans": [{"start": 1, "end": 3}, {"start": 5, "end": 9}]},)
BOXES = ({"bbox_dict": {"1.0": [1, 2, 3, 4], "2.0": [10, 20, 30, 40]}},)
CAPTIONS = ({"start": 1, "end": 3, "caption": "a"}, {"start": 5, "end": 9, "caption": "b"})
CVS = ({"cvs_scores": {"two_structures": 2, "cystic_plate": 1}},)
SKILL = ({"skill_scores": {"Time and motion": 3, "Overall performance": 4}},)
EVERY_TASK = [
    (sample("tal", SPANS), "1-3, 5-9"),
    (sample("stg", BOXES, source="CoPESD"), "1 seconds: [1,2,3,4] 2 seconds: [10,20,30,40]"),
    (sample("dense_captioning_gpt", CAPTIONS), "1-3 seconds: a\n5-9 seconds: b"),
    (sample("next_action", (), "cutting"), "cutting"),
    (sample("cvs_assessment", CVS, source="Cholec80_CVS"), "two structures: 2, cystic plate: 1"),
    (
        sample("skill_assessment", SKILL, source="JIGSAWS"),
        "Time and motion: 3/5, Overall performance: 4/5",
    ),
    (sample("video_summary", (), "text"), "text"),
]
SAMPLES = numbered([one for one, _ in EVERY_TASK])
PERFECT = [text for _, text in EVERY_TASK]


def test_perfect_predictions_score_one_everywhere() -> None:
    card = score(SAMPLES, PERFECT, by_length)
    assert card.metric_version == METRIC_VERSION
    assert tuple(card.metrics) == RULE_METRIC_KEYS
    for metric in card.metrics.values():
        assert metric.compat == pytest.approx(1)
        assert metric.strict == pytest.approx(1)
        assert (metric.answered, metric.expected) == (1, 1)
        assert len(metric.by_source) == 1
    assert card.coverage.share == 1


def test_missing_predictions_count_as_empty_ones() -> None:
    card = score(SAMPLES, [None] * len(SAMPLES), by_length)
    assert card.metrics == score(SAMPLES, [""] * len(SAMPLES), by_length).metrics
    for key, metric in card.metrics.items():
        assert metric.strict == 0, key
        assert metric.compat == 0, key
        assert (metric.answered, metric.expected) == (0, 1), key
    assert card.coverage.predicted == 0
    assert card.coverage_by_task[Task.TAL].samples == 1


def test_an_empty_test_set_has_no_values() -> None:
    card = score([], [], by_length)
    for metric in card.metrics.values():
        assert (metric.compat, metric.strict, metric.answered) == (None, None, 0)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        score(SAMPLES, [], by_length)


def value(qa_type: str, info: object, text: str, key: str) -> tuple[float | None, float | None]:
    metric = score([sample(qa_type, info)], [text], by_length).metrics[key]
    return metric.compat, metric.strict


def test_tal_takes_the_first_of_equal_segments_and_only_above_the_threshold() -> None:
    found = tal.match([Segment(0, 10), Segment(0, 4)], [Segment(0, 4), Segment(0, 4)])
    assert list(found["tag_miou_03"].matched) == [0.4, 1.0]
    assert list(found["tag_miou_05"].matched) == [1.0]


def test_tal_with_many_spans_and_many_segments_stays_fast_and_small() -> None:
    spans = [Segment(index, index + 500) for index in range(1000)]
    found = tal.match(spans, spans * 8)
    assert list(found["tag_miou_05"].matched) == [1.0] * 1000


def test_tal_strict_leaves_out_segments_without_end() -> None:
    endless = "9" * 400
    assert value("tal", SPANS, f"1-3, 5-9, 1-{endless}", "tag_miou_03") == (1, 1)
    compat, strict = value("tal", SPANS, f"1-{endless}", "tag_miou_03")
    assert (compat, strict) == (0, 0)


def test_tal_frames_beyond_the_largest_float_match_nothing() -> None:
    assert value("tal", SPANS, "0-" + "9" * 308, "tag_miou_03") == (0, 0)


def test_tal_without_a_true_span_counts_in_compat_only() -> None:
    metric = score([sample("tal", ())], ["1-2"], None).metrics["tag_miou_03"]
    assert (metric.compat, metric.strict, metric.answered, metric.expected) == (0, None, 0, 0)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12),
)
def test_tal_and_dvc_give_the_same_with_and_without_numpy(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    spans = [Segment(start / 3, end / 3) for start, end in one]
    segments = [Segment(start / 7, end / 7) for start, end in other]
    endless = Segment(0, math.inf)
    expected = tal._match_few(spans, [endless, *segments])
    assert tal._match_many(spans, [endless, *segments]) == expected
    frames = [(float(min(pair)), float(max(pair))) for pair in one]
    predicted = [(float(min(pair)), float(max(pair))) for pair in other]
    best, best_true = dvc._best_overlaps(predicted, frames)
    padded = [*predicted, *[(1000.0, 1000.0)] * 400]
    long_best, long_best_true = dvc._best_overlaps(padded, frames)
    assert list(long_best[: len(best)]) == list(best)
    assert list(long_best_true) == list(best_true)


def test_stg_repeats_the_previous_box_in_compat_only() -> None:
    assert value("stg", BOXES, "1 seconds: [1,2,3,4]", "stg_miou") == (0.5, 0.5)
    compat, strict = value("stg", BOXES, "1 seconds: [10,20,30,40]", "stg_miou")
    assert (compat, strict) == (0.5, 0)


def test_stg_boxes_without_times_take_the_truths_keys_as_spelled() -> None:
    boxes = ({"bbox_dict": {"1.0": [1, 2, 3, 4], "4": [10, 20, 30, 40]}},)
    assert value("stg", boxes, "[[1,2,3,4]] [[10,20,30,40]]", "stg_miou") == (0.5, 0.5)
    assert value("stg", boxes, "1 seconds: [1,2,3,4] 4 seconds: [10,20,30,40]", "stg_miou") == (
        1,
        1,
    )


def test_stg_empty_brackets_replace_nothing() -> None:
    text = "2 seconds: [10,20,30,40] 1 seconds: [1,2,3,4] 2 seconds: []"
    assert value("stg", BOXES, text, "stg_miou") == (1, 1)


def test_stg_boxes_with_unordered_corners_count_nothing_in_strict() -> None:
    assert stg.box_iou((3, 4, 1, 2), (1, 2, 3, 4)) == 0
    assert value("stg", BOXES, "1 seconds: [3,4,1,2]", "stg_miou") == (0, 0)


def test_stg_overflowing_areas_are_not_infinite() -> None:
    huge = (-1e308, -1e308, 1e308, 1e308)
    assert stg.box_iou(huge, huge) == 0
    assert stg.box_iou(huge, (1, 2, 3, 4)) == 0


def plain_flatten(segments: Sequence[CaptionSegment]) -> list[tuple[float, float]]:
    """Flatten as SPEC 2 words it, comparing every piece with every segment."""
    ordered = sorted((segment.start, segment.end) for segment in segments)
    if not any(ordered[i + 1][0] < ordered[i][1] for i in range(len(ordered) - 1)):
        return ordered
    cuts = sorted({time for pair in ordered for time in pair})
    pieces = list(itertools.pairwise(cuts))
    return [(a, b) for a, b in pieces if any(s <= a and b <= e for s, e in ordered)]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=12))
def test_flattening_by_sweep_equals_flattening_by_comparison(pairs: list[tuple[int, int]]) -> None:
    segments = [CaptionSegment(float(start), float(end), "") for start, end in pairs]
    assert dvc.flatten(segments) == plain_flatten(segments)


def test_dvc_weighs_sources_by_all_their_records() -> None:
    one = sample("dense_captioning_gpt", CAPTIONS, source="AVOS")
    other = sample("dense_captioning_gemini", CAPTIONS, source="NurViD")
    good = "1-3 seconds: a\n5-9 seconds: b"
    card = score(numbered([one, one, one, other]), [good, "", None, ""], None)
    metric = card.metrics["dvc_f1"]
    assert metric.by_source["AVOS"].compat == pytest.approx(1)
    assert metric.by_source["NurViD"].compat == 0
    assert metric.compat == pytest.approx(3 / 4)
    assert metric.strict == pytest.approx(1 / 4)
    assert (metric.answered, metric.expected) == (1, 4)


def test_dvc_flattens_the_truth_too() -> None:
    overlapping = (
        {"start": 0, "end": 4, "caption": "a"},
        {"start": 2, "end": 6, "caption": "b"},
    )
    pieces = "0-2 seconds: a\n2-4 seconds: b\n4-6 seconds: c"
    assert value("dense_captioning_gpt", overlapping, pieces, "dvc_f1") == (1, 1)
    # Equal segments overlap; segments of no length, and those that only meet, do not.
    twice = (CAPTIONS[0], CAPTIONS[0], CAPTIONS[1])
    assert value("dense_captioning_gpt", twice, "1-3 seconds: a\n5-9 seconds: b", "dvc_f1") == (
        1,
        1,
    )
    points = [CaptionSegment(5, 5, ""), CaptionSegment(5, 5, ""), CaptionSegment(5, 9, "")]
    assert dvc.flatten(points) == [(5, 5), (5, 5), (5, 9)]


def test_nap_labels_by_source_procedure_and_reference() -> None:
    samples = numbered([
        sample("next_action", (), "cutting"),
        sample("next_action", (), "not a label"),
        sample("next_action", (), "dissect flap with knife", source="CoPESD"),
        sample("next_action", (), "incision", source="EgoSurgery"),
        sample("next_action", (), "design", source="EgoSurgery"),
        sample("next_action", (), "Check", source="NurViD", question="after Aseptic TECHNIQUE?"),
        sample("next_action", (), "Check", source="NurViD", question="no procedure named"),
    ])  # fmt: skip
    texts = [" cutting\n", "cutting", "dissect flap tissue with knife", "incisiom", "design",
             "Take treatment towels", "Check"]  # fmt: skip
    card = score(samples, texts, by_length)
    labels = [card.records[index]["label"] for index in range(7)]
    assert labels == ["cutting", None, "dissect flap tissue with knife", "incision", "design",
                      "Take treatment towels", "Check"]  # fmt: skip
    metric = card.metrics["nap_acc"]
    assert metric.expected == 6
    assert metric.compat == pytest.approx(5 / 6)
    assert metric.strict == pytest.approx(4 / 6)


@pytest.mark.parametrize("source", ["EgoSurgery", "a source without a list", "AVOS", "NurViD"])
def test_nap_leaves_out_records_with_an_empty_reference(source: str) -> None:
    samples = numbered([
        sample("next_action", (), " \n", source=source),
        sample("next_action", (), "cutting", source=source),
    ])  # fmt: skip
    card = score(samples, ["", ""], by_length)
    assert card.records[0] == {"label": None, "how": None, "correct": False, "scored": False}
    assert card.records[1]["label"] != ""
    assert card.metrics["nap_acc"].by_source.keys() <= {source}
    assert card.metrics["nap_acc"].expected == (0 if source == "NurViD" else 1)


@pytest.mark.parametrize(
    ("text", "same"),
    [("**Cutting**.", 1), ("\u3000CUTTING!\n", 1), ("cutting it", 0), ("-", 0), ("cut\u2013", 0)],
)
def test_nap_strict_trims_and_folds(text: str, same: float) -> None:
    metric = score([sample("next_action", (), "cutting")], [text], by_length).metrics["nap_acc"]
    assert metric.strict == same


def test_components_out_of_range_or_absent_are_wrong_in_strict_only() -> None:
    assert value("cvs_assessment", CVS, "two structures: 2", "cvs_acc") == (1, 0.5)
    assert value("cvs_assessment", CVS, "two structures: 9", "cvs_acc") == (0, 0)
    assert value("skill_assessment", SKILL, "TIME and motion: 3/5", "sa_acc") == (0, 0.5)
    assert value("skill_assessment", SKILL, "Time and motion: 3/5", "sa_acc") == (1, 0.5)


def test_sources_count_equally_in_component_metrics() -> None:
    samples = numbered([sample("cvs_assessment", CVS, source=source) for source in "AAB"])
    texts = ["two structures: 2", "two structures: 2", "two structures: 0"]
    assert score(samples, texts, None).metrics["cvs_acc"].compat == 0.5


@pytest.mark.parametrize(("qa_type", "info", "key", "text"), [
    ("cvs_assessment", CVS, "cvs_acc", "two structures: 2, cystic plate: 1"),
    ("skill_assessment", SKILL, "sa_acc", "Time and motion: 3/5"),
])  # fmt: skip
def test_a_source_of_which_nothing_is_present_counts_zero(
    qa_type: str, info: object, key: str, text: str
) -> None:
    samples = numbered([sample(qa_type, info, source=source) for source in "AB"])
    metric = score(samples, [text, "none"], None).metrics[key]
    assert metric.compat == 0.5
    assert metric.by_source["B"].compat == 0
    # Nor does it matter whether the source has any truth.
    untrue = numbered([samples[0], sample(qa_type, [], source="B")])
    assert score(untrue, [text, text], None).metrics[key].compat == 0.5


def assert_finite(item: object) -> None:
    if is_dataclass(item):
        for field in fields(item):
            assert_finite(getattr(item, field.name))
    elif isinstance(item, dict):
        for inner in item.values():
            assert_finite(inner)
    elif isinstance(item, list | tuple):
        for inner in item:
            assert_finite(inner)
    elif isinstance(item, float):
        assert math.isfinite(item)


WILD = st.lists(
    st.sampled_from(["1-2", "9" * 309, "1" + "0" * 308, " seconds: ", "[1,2,3,4]", "1e308", "nan",
                     "-", " to ", "\n", ",", "/5", ": ", "two structures: 2", "[[", "]]", ".",
                     "٣"]),
    max_size=14,
).map("".join)  # fmt: skip


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.none() | WILD | st.text(max_size=20), min_size=7, max_size=7))
def test_no_text_makes_a_score_non_finite_or_raises(texts: list[str | None]) -> None:
    card = score(SAMPLES, texts, by_length)
    assert_finite(card.metrics)
    assert_finite(card.records)
    for metric in card.metrics.values():
        for found in (metric.compat, metric.strict):
            assert found is None or 0 <= found <= 1
