"""What the pages about metrics and intervals show is what the benchmark's own code gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from medvid.benchmark import caption_pairs
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.scorecard import score
from medvid.benchmark.tasks import METRIC_KEYS, METRICS
from medvid.judging.aggregate import aggregate
from services.gateway.pages.intervals import MODELS
from services.gateway.pages.metric_pages import ExampleSample, MetricGuide, metric_guides
from services.gateway.pages.rendering import Pages

GUIDES = list(metric_guides().values())


def shown(value: float) -> float:
    """Round as boards do."""
    return round(round(value, 4), 3)


def scored(examples: Sequence[ExampleSample], metric: str) -> list[float | str]:
    """Return compat and strict of samples, or a judged value; one may be left out of the mean."""
    samples = [
        Sample(
            index=index, id="a&&0&&1&&1.0", qa_type=each.task, task=each.task, source=each.source,
            question=each.question, reference=each.reference, fps=1.0,
            truth=[each.truth] if each.truth else [],
        )
        for index, each in enumerate(examples)
    ]  # fmt: skip
    predictions = [each.prediction for each in examples]
    if metric in {each.key for each in METRICS if each.step == 1}:
        found = score(samples, predictions, load_embedder()).metrics[metric]
        left_out = metric == "dvc_f1" and not found.answered
        values = [None if left_out else found.compat, found.strict]
    else:
        plan = caption_pairs.plan(samples, predictions)
        verdicts = [verdict for each in examples for verdict in each.verdicts]
        assert len(verdicts) == len(plan.texts)
        judged = aggregate(plan, verdicts)[metric]
        values = [judged.compat if judged.scored else None]
    return ["left out" if value is None else shown(value) for value in values]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.column.key)
def test_the_scores_of_the_example_are_what_the_metrics_give(guide: MetricGuide) -> None:
    key = guide.column.key
    assert guide.samples
    alone = {each.prediction: list(each.scores[key]) for each in guide.samples}
    assert {each.prediction: scored([each], key) for each in guide.samples} == alone
    assert scored(guide.samples, key) == list(guide.total)


def test_every_metric_has_a_page_that_shows_its_scores() -> None:
    assert tuple(metric_guides()) == METRIC_KEYS
    pages = Pages()
    for guide in GUIDES:
        text = pages.render("metric.html", metric=guide, columns=[each.column for each in GUIDES])
        assert guide.definition in text.replace("&#39;", "'")
        for value in guide.total:
            assert f"<strong>{float(value):.3f}</strong>" in text


def test_the_models_of_the_picture_change_places_as_it_says() -> None:
    """Their values drawn anew, and ranked: the ranges and marks are those of the draws."""
    draws = np.random.default_rng(1).normal(
        [each.value for each in MODELS], [each.error for each in MODELS], (20_000, len(MODELS))
    )
    places = (-draws).argsort(axis=1).argsort(axis=1) + 1
    low = np.percentile(places, 2.5, axis=0, method="lower")
    high = np.percentile(places, 97.5, axis=0, method="higher")
    assert [(each.rank_low, each.rank_high) for each in MODELS] == [*zip(low, high, strict=True)]
    first = (places == 1).mean(axis=0)
    marked = [each.may_be_best for each in MODELS]
    assert first[marked].sum() >= 0.95
    assert first[marked].sum() - first[marked].min() < 0.95
