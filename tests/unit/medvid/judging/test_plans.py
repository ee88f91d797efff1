"""Plans on their way to storage and back, results of runs, estimates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan, MatchedPair
from medvid.benchmark.tasks import ASPECTS, Task
from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from medvid.judging.calls import Usage
from medvid.judging.estimates import CallFigures, Measured, estimate
from medvid.judging.plans import pack, pair_sha256, store, task_of_metrics, unpack
from medvid.judging.pricing import TokenPrice
from medvid.judging.results import outcome

TEXTS = (CaptionPair("a", "b"), CaptionPair("a\0b", "c"), CaptionPair("ü", "🩺"))


def small_plan() -> JudgingPlan:
    return JudgingPlan(
        texts=TEXTS,
        pairs={
            "dvc_llm": (
                MatchedPair(0, "AVOS", 1, 0.3),
                MatchedPair(0, "AVOS", 1, 0.5),
                MatchedPair(1, "CoPESD", 2, 0.3),
            ),
            "vs_llm": (MatchedPair(0, "AVOS", 3, None),),
            "rc_llm": (MatchedPair(2, "CoPESD", 4, None), MatchedPair(2, "CoPESD", 5, None)),
        },
        records={
            "dvc_llm": {"AVOS": 2, "CoPESD": 1},
            "vs_llm": {"AVOS": 1},
            "rc_llm": {"CoPESD": 2},
        },
    )


def test_a_packed_plan_aggregates_as_the_plan_itself() -> None:
    plan = small_plan()
    back = unpack(pack(plan))
    assert (back.pairs, back.records, len(back.texts)) == (plan.pairs, plan.records, 3)
    verdicts = [standin.judge(pair) for pair in plan.texts]
    assert aggregate(back, verdicts) == aggregate(plan, verdicts)


def test_distinct_pairs_know_their_uses_and_metrics() -> None:
    texts = store(small_plan()).texts
    assert [(text.metrics, text.uses) for text in texts] == [
        (("dvc_llm", "vs_llm"), 3),
        (("dvc_llm",), 1),
        (("rc_llm",), 2),
    ]
    assert texts[1].prediction == b"a\0b"
    assert task_of_metrics(texts[0].metrics) is Task.DENSE_CAPTIONING


@given(st.tuples(*[st.binary(max_size=6)] * 4))
def test_only_equal_texts_share_a_hash(texts: tuple[bytes, bytes, bytes, bytes]) -> None:
    one, other = texts[:2], texts[2:]
    assert (pair_sha256(*one) == pair_sha256(*other)) == (one == other)


def test_one_round_publishes_exactly_what_aggregation_gives() -> None:
    plan = small_plan()
    verdicts = {text: standin.judge(pair) for text, pair in enumerate(plan.texts)}
    found = outcome(plan, [verdicts])
    scores = aggregate(plan, verdicts)
    assert found.publishable
    assert {m.metric: m.value for m in found.metrics} == {k: s.compat for k, s in scores.items()}
    assert {m.metric: (m.answered, m.expected) for m in found.metrics} == {
        k: (s.scored, s.pairs) for k, s in scores.items()
    }


def test_rounds_are_averaged_and_their_variance_told() -> None:
    plan = small_plan()
    rounds = [{text: dict.fromkeys(ASPECTS, score) for text in range(3)} for score in (2, 4)]
    found = outcome(plan, rounds)
    assert found.metrics[1].value == 3
    facts = found.facts["metrics"]
    assert isinstance(facts, dict)
    assert (facts["vs_llm"]["variance"], facts["vs_llm"]["verdict_variance"]) == (2, 2)


@pytest.mark.parametrize("missing", [0, 2])
def test_what_is_unscored_is_not_published_and_named(missing: int) -> None:
    plan = small_plan()
    verdicts = {t: dict.fromkeys(ASPECTS, 3) for t in range(3) if t != missing}
    found = outcome(plan, [verdicts])
    assert not found.publishable
    assert "more than 5%" in found.problem


def test_an_estimate_counts_only_what_is_not_known() -> None:
    figures = CallFigures(
        overhead_tokens=600, reply_tokens=40, price=TokenPrice(2, 8), concurrency=10
    )
    found = estimate([400] * 10, 2, 5, figures)
    assert (found.calls, found.cached, found.distinct_pairs) == (15, 5, 10)
    assert (found.prompt_tokens, found.completion_tokens) == (15 * 700, 600)
    assert found.microusd == 15 * 700 * 2 + 600 * 8
    assert found.seconds == 3.0
    assert estimate([400] * 10, 1, 0, figures, calls_per_second=100).seconds == 0.1
    assert estimate([], 1, 0, figures).calls == 0
    assert "fast_usd" not in found.public()


def test_an_estimate_follows_what_verdicts_took() -> None:
    price = TokenPrice(2, 8, 1, 10)
    figures = CallFigures(overhead_tokens=600, reply_tokens=40, price=price, concurrency=10)
    # Of 50 verdicts on texts of 400 bytes, a tenth more of prompts than 700 tokens each.
    used = Usage(50 * 770, 50 * 330, 50 * 512, 50 * 300)
    assert figures.after(Measured(49, used, 50 * 400)) == figures
    found = estimate([800] * 10, 1, 0, figures.after(Measured(50, used, 50 * 400)))
    assert (found.prompt_tokens, found.cached_tokens) == (8800, 5120)
    assert (found.completion_tokens, found.reasoning_tokens) == (3300, 3000)
    assert found.microusd == 2 * (8800 - 5120) + 5120 + 8 * 300 + 10 * 3000
    assert found.public()["usd"] == found.microusd / 1e6


def test_an_estimate_of_batches_names_both_prices_and_a_day() -> None:
    figures = CallFigures(600, 40, TokenPrice(2, 8), concurrency=10, by_batch=True)
    found = estimate([400] * 10, 1, 0, figures).public()
    online = (7000 * 2 + 400 * 8) / 1e6
    assert (found["usd"], found["fast_usd"], found["seconds"]) == (online / 2, online, 86_400)
    fast = estimate([400] * 10, 1, 0, figures, fast=True).public()
    assert (fast["usd"], fast["fast_usd"], fast["seconds"]) == (online, online, 2.0)
