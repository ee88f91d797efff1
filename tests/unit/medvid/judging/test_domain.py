"""Pairing, aggregation and the stand-in judge (SPEC 3)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark import caption_pairs as pairs_module
from medvid.benchmark.caption_pairs import CaptionPair, match_captions, plan
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.parsing.dvc import CaptionSegment
from medvid.benchmark.tasks import ASPECTS, task_of
from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from medvid.judging.verdicts import Verdict, is_valid
from tests.depth import examples


def sample(
    index: int, qa_type: str, info: object = None, reference: str = "", source: str = "AVOS"
) -> Sample:
    task = task_of(qa_type)
    assert task is not None
    return Sample(index, "v&&0&&9&&2.0", qa_type, task, source, "?", reference, 2.0, info)


def scores(value: int) -> Verdict:
    return dict.fromkeys(ASPECTS, value)


ONE_EVENT = [{"start": 0.0, "end": 10.0, "caption": "truth"}]


def test_texts_are_judged_as_they_stand_and_empty_ones_not_at_all() -> None:
    samples = [
        sample(0, "video_summary_gpt", reference="r"),
        sample(1, "video_summary_gemini", reference=" "),
        sample(2, "region_caption", reference="r"),
        sample(3, "region_caption", reference=""),
        sample(4, "region_caption", reference="r"),
    ]
    found = plan(samples, [" a\n", "\t", "", "b", None])
    assert found.texts == (CaptionPair(" a\n", "r"), CaptionPair("\t", " "))
    assert len(found.pairs["vs_llm"]) == 2
    assert found.pairs["rc_llm"] == ()
    assert found.records["rc_llm"] == {"AVOS": 3}


def test_equal_texts_are_judged_once_and_weigh_each_time() -> None:
    samples = [sample(index, "dc", ONE_EVENT) for index in range(2)]
    found = plan(samples, ["0-10 seconds: a", "0-4 seconds: a\n0-6 seconds: b"])
    assert found.texts == (CaptionPair("a", "truth"), CaptionPair("b", "truth"))
    thresholds = [(pair.text, pair.sample, pair.threshold) for pair in found.pairs["dvc_llm"]]
    assert thresholds == [(0, 0, 0.3), (0, 0, 0.5), (0, 0, 0.7), (0, 1, 0.3), (1, 1, 0.3),
                          (1, 1, 0.5)]  # fmt: skip


def test_a_segment_pairs_with_the_first_of_the_nearest() -> None:
    true = [CaptionSegment(0, 10, "first"), CaptionSegment(0, 10, "second")]
    found = list(match_captions([CaptionSegment(0, 10, "p")], true))
    assert [pair.reference for pair, _ in found] == ["first"] * 3


def test_reversed_and_empty_segments_pair_with_nothing() -> None:
    true = [CaptionSegment(0, 10, "t"), CaptionSegment(9, 1, "reversed")]
    predicted = [CaptionSegment(8, 2, "p"), CaptionSegment(5, 5, "p")]
    assert list(match_captions(predicted, true)) == []
    assert list(match_captions(predicted, [])) == []


TIMES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8)


@settings(max_examples=examples(60), deadline=None)
@given(TIMES, TIMES)
def test_pairing_is_the_same_with_and_without_numpy(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    predicted = [CaptionSegment(a / 7, b / 7, f"p{i}") for i, (a, b) in enumerate(one)]
    true = [CaptionSegment(a / 7, b / 7, f"t{i}") for i, (a, b) in enumerate(other)]
    far = [CaptionSegment(1e6, 1e6 + 1, "far")] * 500
    assert list(match_captions(predicted, [*true, *far])) == list(match_captions(predicted, true))
    assert len(true) + len(far) > pairs_module._FEW_PAIRS  # noqa: SLF001 - both paths are met


def test_dvc_means_over_thresholds_above_zero_then_sources_by_records() -> None:
    samples = [
        sample(0, "dc", ONE_EVENT, source="A"),
        sample(1, "dc", ONE_EVENT, source="A"),
        sample(2, "dc", ONE_EVENT, source="B"),
        sample(3, "dc", ONE_EVENT, source="B"),
    ]
    found = plan(samples, ["0-4 seconds: low", "0-10 seconds: high", "", None])
    verdicts = [scores(1) if pair.prediction == "low" else scores(5) for pair in found.texts]
    result = aggregate(found, verdicts)["dvc_llm"]
    # Source A: 0.3 -> (1 + 5) / 2, 0.5 -> 5, 0.7 -> 5; source B has no pair and two records.
    assert result.by_source["A"].compat == pytest.approx((3 + 5 + 5) / 3)
    assert result.by_source["B"].compat is None
    assert result.compat == pytest.approx((3 + 5 + 5) / 3 / 2)
    assert (result.pairs, result.distinct_pairs, result.scored) == (4, 2, 4)
    assert [(part.pairs, part.samples) for part in result.by_source.values()] == [(4, 2), (0, 0)]


def summaries(count: int) -> pairs_module.JudgingPlan:
    samples = [sample(index, "video_summary", reference="r") for index in range(count)]
    return plan(samples, [f"p{index}" for index in range(count)])


def test_unscored_pairs_are_left_out_and_never_zero() -> None:
    verdicts: list[Verdict | None] = [scores(4)] * 20
    verdicts[3] = None
    result = aggregate(summaries(20), verdicts)["vs_llm"]
    assert result.compat == 4
    assert (result.pairs, result.scored, result.publishable) == (20, 19, True)
    assert result.aspects == dict.fromkeys(ASPECTS, 4.0)


def test_more_than_five_percent_unscored_publishes_nothing() -> None:
    result = aggregate(summaries(20), dict(enumerate([scores(4)] * 18)))
    assert result["vs_llm"].compat is None
    assert not result["vs_llm"].publishable
    assert result["vs_llm"].by_source["AVOS"].compat == 4
    assert not result["dvc_llm"].publishable, "the run as a whole is incomplete"


def test_nothing_to_judge_has_no_value() -> None:
    result = aggregate(plan([], []), [])
    assert [score.compat for score in result.values()] == [None, None, None]


@pytest.mark.parametrize(
    "verdict",
    [
        None,
        {},
        scores(0),
        scores(6),
        scores(True),
        {**scores(3), "R2": 3.0},
        {**scores(3), "R2": "3"},
        dict.fromkeys(list(ASPECTS)[1:], 3),
    ],
)
def test_nothing_but_five_integers_from_one_to_five_is_a_verdict(verdict: Verdict | None) -> None:
    assert not is_valid(verdict)
    assert aggregate(summaries(1), [verdict])["vs_llm"].scored == 0


def test_the_stand_in_judge_is_the_hash_of_its_texts() -> None:
    digest = hashlib.sha256("R2|a é|b\x00".encode()).digest()
    assert standin.judge(CaptionPair("a é", "b\x00"))["R2"] == 1 + digest[0] % 5
    assert is_valid(standin.judge(CaptionPair("\ud800", "")))
