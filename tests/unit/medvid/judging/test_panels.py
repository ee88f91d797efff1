"""Panels: versions, values, agreement as the krippendorff package has it, families, ranks."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.judging.families import family_of, own_family
from medvid.judging.leave_out import judges_out
from medvid.judging.panel_results import agreement
from medvid.judging.panels import Combine, Panel, PanelMember
from tests.depth import deep, examples
from tests.fakes.grader import version


def panel(*names: str, combine: Combine = "mean", weights: tuple[float, ...] = ()) -> Panel:
    given = weights or (1.0,) * len(names)
    return Panel.of(
        [PanelMember.of(version(name), each) for name, each in zip(names, given, strict=True)],
        combine,
    )


def test_the_version_is_that_of_members_weights_and_combination_in_any_order() -> None:
    found = panel("a", "b", "c")
    assert found.version == panel("c", "a", "b").version
    assert panel("a").version == version("a").hash == panel("a", weights=(7,)).version
    others = [
        panel("a", "b"),
        panel("a", "b", "d"),
        panel("a", "b", "c", combine="median"),
        panel("a", "b", "c", weights=(1, 1, 2)),
    ]
    assert len({found.version, *(each.version for each in others)}) == 5
    for each in (found, *others):
        assert Panel.read(each.version, each.public()) == each
    assert Panel.read(version("a").hash, version("a").public()) == panel("a")


@pytest.mark.parametrize(
    ("names", "combine", "weights", "says"),
    [
        ("", "mean", (), "1 to 5"),
        ("abcdef", "mean", (), "1 to 5"),
        ("aa", "mean", (), "the same"),
        ("ab", "median", (1, 2), "no weights"),
    ],
)
def test_a_panel_without_meaning_is_refused(
    names: str, combine: Combine, weights: tuple[float, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        panel(*names, combine=combine, weights=weights)


def test_values_are_weighted_means_or_medians_and_missing_where_one_is() -> None:
    three = panel("a", "b", "c", weights=(1, 2, 5))
    by_name = {each.facts["model"]: each.weight for each in three.members}
    assert by_name == {"a": 1, "b": 2, "c": 5}
    values = {"a": 1.0, "b": 4.0, "c": 2.0}
    in_order = [values[each.name] for each in three.members]
    assert three.value(in_order) == pytest.approx((1 + 8 + 10) / 8)
    assert replace(three, combine="median").value(in_order) == 2.0
    assert three.value([1.0, None, 2.0]) is None
    rest = three.without({version("c").hash})
    assert rest.value([values[each.name] for each in rest.members]) == pytest.approx(3)
    drawn = [np.array([1.0, math.nan]), np.array([4.0, 2.0]), np.array([2.0, 2.0])]
    assert np.isnan(three.rows(drawn)).tolist() == [False, True]


@deep
@settings(max_examples=examples(100), deadline=None)
@given(
    scores=st.tuples(st.integers(2, 40), st.integers(2, 5)).flatmap(
        lambda shape: arrays(np.int64, shape, elements=st.integers(0, 5))
    )
)
def test_agreement_is_that_of_the_packages(scores: NDArray[np.int64]) -> None:
    from sklearn.metrics import cohen_kappa_score  # to import it takes four seconds

    judges = panel(*"abcde"[: scores.shape[1]])
    found = agreement(judges, scores)
    rated = np.where(scores == 0, math.nan, scores.astype(float))
    paired = rated[(~np.isnan(rated)).sum(axis=1) > 1]
    if len(set(paired[~np.isnan(paired)].tolist())) < 2:
        assert found["alpha"] is None
    else:
        expected = krippendorff.alpha(rated.T, level_of_measurement="ordinal")
        assert found["alpha"] == pytest.approx(expected, abs=1e-9)
    versions = [each.judge_version for each in judges.members]
    for each in found["kappas"]:
        one, other = (scores[:, versions.index(each[side])] for side in "ab")
        both = (one > 0) & (other > 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = (
                cohen_kappa_score(one[both], other[both], weights="quadratic", labels=range(1, 6))
                if both.any()
                else math.nan
            )
        assert (math.nan if each["kappa"] is None else each["kappa"]) == pytest.approx(
            expected, abs=1e-9, nan_ok=True
        )


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("GPT-4.1", "gpt"), ("openai/gpt-5.1-2025-11-13", "gpt"), ("o3-mini", "gpt"),
        ("models/gemini-2.5-pro", "gemini"), ("Qwen2.5-VL-7B-MedVid", "qwen"),
        ("Video-LLaMA2", "llama"), ("Claude Opus 4", "claude"), ("demo3", None),
        ("stub-judge-1", None), ("Our-Model", "mistral"), ("egypt-net", None),
    ],
)  # fmt: skip
def test_families_come_from_names_and_from_what_is_set(name: str, family: str | None) -> None:
    assert family_of(name, {"our-model": "mistral"}) == family


def test_judges_of_the_model_s_own_family_are_named() -> None:
    judges = panel("gpt-5.1", "qwen3-235b", "deployment-7")
    assert own_family(["GPT-4o fine-tuned"], judges, {}) == [version("gpt-5.1").hash]
    assert own_family(["MedVLM", "Qwen/Qwen2.5-VL-7B"], judges, {}) == [version("qwen3-235b").hash]
    assert set(own_family(["GPT-4o", "Qwen2"], judges, {})) == {
        version("gpt-5.1").hash, version("qwen3-235b").hash,
    }  # fmt: skip
    assert set(own_family(["GPT-4o"], judges, {"deployment": "gpt"})) == {
        version("gpt-5.1").hash, version("deployment-7").hash,
    }  # fmt: skip
    assert own_family(["Nobody's", ""], judges, {}) == []


def test_ranks_without_one_judge() -> None:
    judges = panel("a", "b", "c")
    order = [each.name for each in judges.members]

    def judged(**values: float) -> dict[str, tuple[Panel, list[float | None]]]:
        return {"vs_llm": (judges, [values[name] for name in order])}

    entries = [judged(a=5, b=2, c=2), judged(a=1, b=3, c=3), {}]
    values = [judges.value(each["vs_llm"][1]) if each else 1.0 for each in entries]
    rows = [
        {"model_name": str(n), **dict.fromkeys(METRIC_KEYS), "vs_llm": value}
        for n, value in enumerate(values)
    ]
    found = judges_out(rows, entries, "competition")
    hashes = {name: version(name).hash for name in order}
    assert [each[hashes["a"]] for each in found] == [2, 1, 3]
    assert [each[hashes["b"]] for each in found] == [1, 2, 3]
    assert judges_out(rows, [{}, {}, {}], "competition") == [{}, {}, {}]
