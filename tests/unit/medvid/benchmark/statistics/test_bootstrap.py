"""Replicates against a plain reading of SPEC 6: records repeated as their video is drawn."""

# ruff: noqa: S311 - random cases, the same in every run

from __future__ import annotations

import hashlib
import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from medvid.benchmark import truth
from medvid.benchmark.caption_pairs import JudgingPlan, plan
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.scorecard import Scorecard, score
from medvid.benchmark.statistics.bootstrap import (
    REPLICATES,
    Estimate,
    Estimates,
    estimates,
    resample,
)
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.tasks import ASPECTS, JUDGE_METRIC_KEYS, Task, task_of
from medvid.judging import standin
from medvid.judging.aggregate import contributions as judged_contributions
from medvid.judging.verdicts import Verdict

VERSION = "a version"
ASPECT_NAMES = ("Time and motion", "Flow of operation", "Respect for tissue")
COMPONENTS = ("two structures", "cystic plate", "hepatocystic triangle")
SOURCES = {"AVOS": 4, "CoPESD": 2, "EgoSurgery": 7, "JIGSAWS": 1}
"""Of each source, how many videos: one is a source of a single video."""
QA_TYPES = ("tal", "stg", "dense_captioning_gpt", "next_action", "cvs_assessment",
            "skill_assessment", "video_summary", "region_caption")  # fmt: skip

Values = Callable[[Iterable[int]], float | None]


@dataclass(frozen=True)
class Case:
    """A random test set with predictions, and what is known of each record."""

    samples: Sequence[Sample]
    predictions: Sequence[str | None]
    card: Scorecard
    pairs: JudgingPlan
    verdicts: Sequence[Verdict | None]


def case(seed: int) -> Case:
    dice = random.Random(seed)
    answers = dice.choice([0.0, 0.3, 1.0])
    made = [
        one_sample(dice, source, f"{source} {dice.randrange(SOURCES[source])}")
        for source in dice.choices(list(SOURCES), k=dice.choice([3, 30, 120]))
    ]
    samples = [Sample(n, *rest) for n, rest in enumerate(made)]
    predictions = [
        one_prediction(dice, each.task) if dice.random() < answers else dice.choice([None, ""])
        for each in samples
    ]
    pairs = plan(samples, predictions)
    verdicts = [standin.judge(pair) for pair in pairs.texts]
    return Case(samples, predictions, score(samples, predictions, None), pairs, verdicts)


def one_sample(dice: random.Random, source: str, video: str) -> tuple[Any, ...]:
    qa_type = dice.choice(QA_TYPES)
    task = task_of(qa_type)
    info: list[Any] = []
    if dice.random() < 0.8 and task in _TRUTHS:
        info = _TRUTHS[task](dice)
    reference = dice.choice(["cutting", "suturing"]) if task is Task.NEXT_ACTION else "text"
    return ("id", qa_type, task, source, "?", reference, 1.0, info, video)


_TRUTHS: Mapping[Task | None, Callable[[random.Random], list[Any]]] = {
    Task.TAL: lambda dice: [{"spans": [{"start": dice.randrange(3), "end": 5}]}],
    Task.STG: lambda dice: [{"bbox_dict": {"1.0": [0, 0, 10, dice.randrange(5, 15)]}}],
    Task.DENSE_CAPTIONING: lambda dice: [{"start": 0, "end": dice.randrange(4, 9), "caption": "c"}],
    Task.CVS_ASSESSMENT: lambda dice: [
        {"cvs_scores": {
            name.replace(" ", "_"): dice.randrange(3) for name in COMPONENTS if dice.random() < 0.7
        }}
    ],
    Task.SKILL_ASSESSMENT: lambda dice: [
        {"skill_scores": {name: dice.randrange(1, 6) for name in ASPECT_NAMES}}
    ],
}  # fmt: skip


def one_prediction(dice: random.Random, task: Task) -> str:
    if task is Task.STG:
        return f"1 seconds: [0, 0, 10, {dice.randrange(5, 15)}]"
    if task is Task.CVS_ASSESSMENT:
        named = dice.sample(COMPONENTS, dice.randrange(4))
        return ", ".join(f"{name}: {dice.randrange(4)}" for name in named)
    if task is Task.SKILL_ASSESSMENT:
        named = dice.sample(ASPECT_NAMES, dice.randrange(4))
        return ", ".join(f"{name}: {dice.randrange(1, 7)}/5" for name in named)
    return dice.choice(["0-5 seconds: a", "1-7 seconds: b\n0-6 seconds: c", "cutting", "no"])


def mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else None


def defined(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


# Each of the following takes sample indexes, repeated as often as they count.


def of_records(found: Mapping[int, float | None]) -> Values:
    return lambda drawn: mean(defined(found[n] for n in drawn if n in found))


def of_components(case: Case, task: Task, *, strict: bool) -> Values:
    valid = range(3) if task is Task.CVS_ASSESSMENT else range(1, 6)

    def of_source(drawn: Sequence[int]) -> float | None:
        correct: dict[str, list[bool]] = {}
        for n in drawn:
            said: Mapping[str, int] = case.card.records[n]["parsed"]  # type: ignore[assignment]
            for name, value in _true(case.samples[n]).items():
                if strict:
                    correct.setdefault(name, []).append(
                        said.get(name) == value and said[name] in valid
                    )
                elif name in said:
                    correct.setdefault(name, []).append(said[name] == value)
        value = mean(sum(right) / len(right) for right in correct.values())
        return value if strict or value is not None or not drawn else 0.0

    def value(drawn: Iterable[int]) -> float | None:
        groups: dict[str, list[int]] = {}
        for n in drawn:
            if case.samples[n].task is task:
                groups.setdefault(case.samples[n].source, []).append(n)
        return mean(defined(of_source(group) for group in groups.values()))

    return value


def _true(sample: Sample) -> Mapping[str, int]:
    read = truth.component_scores if sample.task is Task.CVS_ASSESSMENT else truth.aspect_scores
    return read(sample)


def of_captions(case: Case) -> Values:
    f1 = {n: record.get("f1") for n, record in case.card.records.items()}

    def value(drawn: Iterable[int]) -> float | None:
        listed = [n for n in drawn if case.samples[n].task is Task.DENSE_CAPTIONING]
        sources = [case.samples[n].source for n in listed]
        means = {
            source: mean(
                f1[n]  # type: ignore[misc]
                for n in listed
                if case.samples[n].source == source and f1[n] is not None
            )
            for source in set(sources)
        }
        return mean((means[source] or 0.0) for source in sources)

    return value


def of_judge(case: Case, key: str) -> Values:
    scores: dict[int, list[tuple[float | None, list[int]]]] = {}
    for pair in case.pairs.pairs[key]:
        verdict = case.verdicts[pair.text]
        if verdict is not None:
            found = (pair.threshold, [verdict[aspect] for aspect in ASPECTS])
            scores.setdefault(pair.sample, []).append(found)

    def of_pairs(pairs: Sequence[list[int]]) -> float:
        aspects = [math.fsum(scores) / len(pairs) for scores in zip(*pairs, strict=True)]
        return math.fsum(aspects) / len(ASPECTS) if pairs else 0.0

    def plain(drawn: Iterable[int]) -> float | None:
        pairs = [found for n in drawn for _, found in scores.get(n, [])]
        return of_pairs(pairs) if pairs else None

    def dense(drawn: Iterable[int]) -> float | None:
        listed = [n for n in drawn if case.samples[n].task is Task.DENSE_CAPTIONING]
        sources = [case.samples[n].source for n in listed]
        values = {}
        for source in set(sources):
            at = [
                of_pairs(
                    [
                        found
                        for n in listed
                        if case.samples[n].source == source
                        for threshold, found in scores.get(n, [])
                        if threshold == wanted
                    ]
                )
                for wanted in (0.3, 0.5, 0.7)
            ]
            values[source] = mean(each for each in at if each > 0) or 0.0
        return mean(values[source] for source in sources)

    return dense if key == "dvc_llm" else plain


def references(case: Case) -> dict[tuple[str, str], Values]:
    records = case.card.records
    task = {n: each.task for n, each in enumerate(case.samples)}

    def field(wanted: Task, *names: str) -> dict[int, float | None]:
        found: dict[int, float | None] = {}
        for n, record in records.items():
            if task[n] is wanted:
                value: Any = record
                for name in names:
                    value = value.get(name) if value else None
                found[n] = None if value is None else float(value)
        return found

    spans = {n for n in records if task[n] is Task.TAL and truth.spans(case.samples[n])}
    strict_tal = {
        t: {n: v for n, v in field(Task.TAL, "strict", f"miou@{t}").items() if n in spans}
        for t in (0.3, 0.5)
    }
    scored = {n for n in records if task[n] is Task.NEXT_ACTION and records[n]["scored"]}
    correct = field(Task.NEXT_ACTION, "correct")
    exact = {n: float(case.predictions[n] == case.samples[n].reference) for n in scored}
    return {
        ("tag_miou_03", "compat"): of_records(field(Task.TAL, "miou@0.3")),
        ("tag_miou_05", "compat"): of_records(field(Task.TAL, "miou@0.5")),
        ("tag_miou_03", "strict"): of_records(strict_tal[0.3]),
        ("tag_miou_05", "strict"): of_records(strict_tal[0.5]),
        ("stg_miou", "compat"): of_records(field(Task.STG, "iou")),
        ("stg_miou", "strict"): of_records(field(Task.STG, "strict")),
        ("nap_acc", "compat"): of_records({n: correct[n] for n in scored}),
        ("nap_acc", "strict"): of_records(dict(exact)),
        ("dvc_f1", "compat"): of_captions(case),
        ("dvc_f1", "strict"): of_records(field(Task.DENSE_CAPTIONING, "strict_f1")),
        ("cvs_acc", "compat"): of_components(case, Task.CVS_ASSESSMENT, strict=False),
        ("cvs_acc", "strict"): of_components(case, Task.CVS_ASSESSMENT, strict=True),
        ("sa_acc", "compat"): of_components(case, Task.SKILL_ASSESSMENT, strict=False),
        ("sa_acc", "strict"): of_components(case, Task.SKILL_ASSESSMENT, strict=True),
    } | {(key, "compat"): of_judge(case, key) for key in JUDGE_METRIC_KEYS}


def drawn_counts(samples: Sequence[Sample]) -> list[dict[tuple[str, str], int]]:
    """How often each video of each source counts, replicate by replicate."""
    counts: list[dict[tuple[str, str], int]] = [{} for _ in range(REPLICATES)]
    for source in {each.source for each in samples}:
        videos = sorted({each.video_id for each in samples if each.source == source})
        named = "\0".join(("medvid-bootstrap-1", VERSION, source)).encode()
        seed = int(hashlib.sha256(named).hexdigest(), 16)
        raw = np.random.PCG64(seed).random_raw(REPLICATES * len(videos)).tolist()
        for n, number in enumerate(raw):
            video = videos[math.floor((number >> 11) * 2**-53 * len(videos))]
            replicate = counts[n // len(videos)]
            replicate[source, video] = replicate.get((source, video), 0) + 1
    return counts


def replicates_of(case: Case) -> dict[tuple[str, str], Estimates]:
    contributions = {
        (key, str(scoring)): each
        for key, by_scoring in case.card.contributions.items()
        for scoring, each in by_scoring.items()
    } | {
        (key, "compat"): each
        for key, each in judged_contributions(case.pairs, case.verdicts, case.samples).items()
    }
    return estimates(contributions, resample(case.samples, VERSION))


def same(found: float, expected: float | None) -> bool:
    return math.isnan(found) if expected is None else math.isclose(found, expected, abs_tol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_replicate_is_the_metric_of_the_repeated_records(seed: int) -> None:
    one = case(seed)
    found, counts = replicates_of(one), drawn_counts(one.samples)
    wanted = references(one)
    assert set(found) == set(wanted)
    for b in range(0, REPLICATES, 40):
        drawn = [
            n for n, each in enumerate(one.samples)
            for _ in range(counts[b].get((each.source, each.video_id), 0))
        ]  # fmt: skip
        for key, value in wanted.items():
            assert same(found[key].whole.replicates[b], value(drawn)), (key, b)
            for source, part in found[key].by_source.items():
                inside = [n for n in drawn if one.samples[n].source == source]
                expected = value(inside)
                if key[0] == "dvc_llm" and not any(
                    pair.sample in inside for pair in one.pairs.pairs["dvc_llm"]
                ):
                    expected = None  # of a source without a pair no value is shown
                assert same(part.replicates[b], expected), (key, source, b)


def test_the_cases_hold_what_the_formulas_decide() -> None:
    found = [each for seed in range(8) for each in replicates_of(case(seed)).values()]
    undefined = [int(np.isnan(each.whole.replicates).sum()) for each in found]
    assert 0 in undefined
    assert REPLICATES in undefined
    assert any(0 < count < REPLICATES for count in undefined)
    assert any(each.whole.clusters == 0 for each in found)


def test_clusters_are_the_videos_that_enter_the_sums() -> None:
    one = case(1)
    found = replicates_of(one)

    def videos(wanted: Callable[[Sample], bool]) -> int:
        return len({(each.source, each.video_id) for each in one.samples if wanted(each)})

    assert found["dvc_llm", "compat"].whole.clusters == videos(
        lambda each: each.task is Task.DENSE_CAPTIONING
    )
    assert found["stg_miou", "compat"].whole.clusters == videos(
        lambda each: each.task is Task.STG and bool(truth.boxes(each))
    )
    named = found["cvs_acc", "compat"].whole.clusters
    assert named == videos(
        lambda each: (
            each.task is Task.CVS_ASSESSMENT
            and bool(set(_true(each)) & set(one.card.records[each.index]["parsed"]))  # type: ignore[call-overload]
        )
    )
    assert named < found["cvs_acc", "strict"].whole.clusters


def test_unscored_pairs_stay_out_of_every_replicate() -> None:
    one = next(found for found in map(case, range(8)) if len(found.pairs.pairs["vs_llm"]) > 1)
    without = [None, *one.verdicts[1:]]
    found = judged_contributions(one.pairs, without, one.samples)
    unscored = sum(pair.text == 0 for pairs in one.pairs.pairs.values() for pair in pairs)
    every = sum(map(len, one.pairs.pairs.values()))
    assert unscored > 0.05 * every  # too many: nothing is published, nothing is replicated
    assert found == {}


def test_the_draws_do_not_depend_on_the_predictions_or_other_sources() -> None:
    one = case(1)
    whole = resample(one.samples, VERSION)
    alone = [each for each in one.samples if each.source == "AVOS"]
    assert np.array_equal(resample(alone, VERSION).weights["AVOS"], whole.weights["AVOS"])
    assert not np.array_equal(resample(alone, "b").weights["AVOS"], whole.weights["AVOS"])
    for weights in whole.weights.values():
        assert (weights.sum(axis=1) == weights.shape[1]).all()


def test_an_interval_is_that_of_the_defined_replicates() -> None:
    dice = random.Random(5)
    values = [dice.gauss(0, 1) for _ in range(950)]
    found = interval(Estimate(np.array([*values, *[math.nan] * 50]), 14))
    quantiles = statistics.quantiles(values, n=40, method="inclusive")
    assert found.se == pytest.approx(statistics.stdev(values))
    assert (found.low, found.high) == (pytest.approx(quantiles[0]), pytest.approx(quantiles[-1]))
    assert (found.clusters, found.undefined, found.few_videos) == (14, 50, True)


def test_an_interval_of_too_many_undefined_replicates_is_not_given() -> None:
    found = interval(Estimate(np.array([*range(949), *[math.nan] * 51]), 15))
    assert (found.se, found.low, found.high) == (None, None, None)
    assert (found.undefined, found.few_videos) == (51, False)


def test_replicates_that_differ_by_rounding_alone_have_no_error() -> None:
    noisy = np.full(1000, 0.1)
    noisy[::2] = math.nextafter(0.1, 1)
    assert interval(Estimate(noisy, 20)).se == 0.0
