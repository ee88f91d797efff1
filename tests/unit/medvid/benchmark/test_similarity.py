"""Similarities: pairs of the judge's plan, encoded once, averaged as the judge's scores are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from medvid.benchmark import similarity as module
from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan, MatchedPair, resting_on
from medvid.benchmark.embedder import Embeddings
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.similarity import MAX_CHARACTERS, TooManyTexts, measure

ANGLES = {"truth": 0.0, "same": 0.0, "near": 60.0, "far": 90.0, "opposite": 180.0}


class Encoder:
    """Puts known words on a circle, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str], /) -> Embeddings:
        self.asked += texts
        radians = np.radians([ANGLES.get(text, 0.0) for text in texts])
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def a_plan(
    key: str,
    texts: Sequence[tuple[str, str]],
    pairs: Sequence[MatchedPair],
    records: dict[str, int],
) -> JudgingPlan:
    keys = ("dvc_llm", "vs_llm", "rc_llm")
    return JudgingPlan(
        tuple(CaptionPair(*text) for text in texts),
        {name: tuple(pairs) if name == key else () for name in keys},
        {name: records if name == key else {} for name in keys},
    )


def test_a_summary_similarity_is_the_mean_over_pairs_and_every_text_is_encoded_once() -> None:
    texts = [("near", "truth"), ("opposite", "truth")]
    pairs = [MatchedPair(0, "A", 0, None), MatchedPair(0, "B", 1, None),
             MatchedPair(1, "B", 2, None)]  # fmt: skip
    encoder = Encoder()
    found = measure(a_plan("vs_llm", texts, pairs, {"A": 1, "B": 2}), "vs_similarity", encoder)
    assert found.value == pytest.approx((0.5 + 0.5 - 1) / 3)
    assert (found.pairs, found.distinct_pairs) == (3, 2)
    assert found.by_source["B"].value == pytest.approx((0.5 - 1) / 2)
    assert sorted(encoder.asked) == ["near", "opposite", "truth"]


def test_a_dense_caption_similarity_is_averaged_as_the_judge_averages() -> None:
    texts = [("same", "truth"), ("far", "truth")]
    pairs = [MatchedPair(0, "A", 0, 0.3), MatchedPair(1, "A", 0, 0.3), MatchedPair(0, "A", 0, 0.5)]
    plan = a_plan("dvc_llm", texts, pairs, {"A": 3, "empty": 1})
    found = measure(plan, "dvc_similarity", Encoder())
    # A: 0.5 at 0.3 and 1 at 0.5; the source without a pair counts 0 with its weight.
    assert found.value == pytest.approx(0.75 * 3 / 4)
    assert found.by_source["empty"].value is None
    assert (found.by_source["A"].pairs, found.by_source["A"].samples) == (3, 1)


def matched(by_sample: dict[int, int], threshold: float | None = 0.3) -> list[MatchedPair]:
    """Pairs at a threshold, so many for each sample."""
    return [
        MatchedPair(0, "A", sample, threshold)
        for sample, pairs in by_sample.items()
        for _ in range(pairs)
    ]


def test_a_mean_rests_on_its_samples_where_none_is_a_tenth_of_it() -> None:
    many = dict.fromkeys(range(40), 1)
    assert resting_on(matched(many, None)) == 40
    assert resting_on(matched(many | {0: 4})) == 40
    assert resting_on(matched(many | {0: 40})) == 1, "one text that repeats itself"
    # Only pair of its threshold, a sample is a third of the mean over thresholds, and more.
    assert resting_on([*matched(many), *matched(many, 0.5), *matched({7: 1}, 0.7)]) == 2
    assert resting_on(matched({3: 90})) == 1
    assert resting_on([]) == 0


@pytest.mark.parametrize("metric", ["vs_similarity", "dvc_similarity"])
def test_without_a_pair_there_is_no_value(metric: str) -> None:
    plan = a_plan(module.METRICS[metric], [], [], {"A": 2})
    found = measure(plan, metric, Encoder())
    assert (found.value, found.pairs, found.distinct_pairs) == (None, 0, 0)


def test_long_texts_are_cut_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder()
    plan = a_plan("rc_llm", [("x" * 10**6, "truth")], [MatchedPair(0, "A", 0, None)], {"A": 1})
    measure(plan, "rc_similarity", encoder)
    assert max(map(len, encoder.asked)) == MAX_CHARACTERS
    monkeypatch.setattr(module, "MAX_TEXTS", 1)
    with pytest.raises(TooManyTexts, match="2 distinct captions"):
        measure(plan, "rc_similarity", encoder)


def test_the_real_encoder_knows_its_like() -> None:
    texts = [("The surgeon clips the cystic duct.", "The surgeon clips the cystic duct."),
             ("The grasper retracts the gallbladder.", "Interest rates rose in May.")]  # fmt: skip
    pairs = [MatchedPair(0, "same", 0, None), MatchedPair(1, "other", 1, None)]
    plan = a_plan("vs_llm", texts, pairs, {"same": 1, "other": 1})
    found = measure(plan, "vs_similarity", load_embedder()).by_source
    assert found["same"].value == pytest.approx(1, abs=1e-6)
    assert found["other"].value is not None
    assert found["other"].value < 0.3
