"""What is read off boards: steps of the best value, leaders by task and source, their charts."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.disclosure import FEWEST_ANSWERS
from medvid.benchmark.tasks import METRIC_KEYS, SOURCES, Scoring, Task
from services.gateway.boards.models import MeasuredBoard, MeasuredEntry
from services.gateway.boards.over_time import best_over_time
from services.gateway.boards.size_and_cost import size_and_cost
from services.gateway.boards.task_leaders import task_leaders
from services.gateway.pages.charts import (
    DatedValue,
    Sized,
    cost_ticks,
    day_ticks,
    nice_ticks,
    scatter_chart,
    step_chart,
)

FIRST = date(2026, 1, 1)
KEY = "nap_acc"


def entry(number: int, value: float | None, day: int = 0, **facts: Any) -> MeasuredEntry:
    """An entry in the board's order, with one value."""
    return MeasuredEntry.model_validate({
        "rank": number, "entry_id": UUID(int=number), "model_name": f"Model {number}",
        "organization": "Lab", "submitted_on": FIRST + timedelta(days=day), "mean_rank": 1.0,
        "values": {**dict.fromkeys(METRIC_KEYS), KEY: value}, "ranks": {KEY: number}, **facts,
    })  # fmt: skip


def board(*entries: MeasuredEntry, scoring: Scoring = "compat") -> MeasuredBoard:
    moment = datetime(2026, 4, 15, tzinfo=UTC)
    facts = {"entries": entries, "snapshot": 7, "updated_at": moment}
    return MeasuredBoard.empty("community", scoring).model_copy(update=facts)


def steps(shown: MeasuredBoard) -> list[tuple[int, float]]:
    """The entries and values of the steps of the one metric that has some."""
    found = {each.metric: each.steps for each in best_over_time(shown).metrics}
    assert tuple(found) == METRIC_KEYS
    assert all(not found[key] for key in METRIC_KEYS if key != KEY)
    return [(step.entry_id.int, step.value) for step in found[KEY]]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9) | st.none()), max_size=12))
def test_a_step_is_what_is_above_all_of_the_days_before(sent: list[tuple[int, int | None]]) -> None:
    entries = [entry(number, value, day) for number, (day, value) in enumerate(sent, 1)]
    expected = []
    for day in range(7):
        before = [value for on, value in sent if on < day and value is not None]
        today = [value for on, value in sent if on == day and value is not None]
        if today and max(today) > max(before, default=-1):
            place = next(n for n, each in enumerate(sent, 1) if each == (day, max(today)))
            expected.append((place, max(today)))
    assert steps(board(*entries)) == expected


def test_what_does_not_rank_is_no_step_and_no_leader() -> None:
    other = entry(1, 0.9, not_ranked={KEY: "other_judge"})
    ours = entry(2, 0.4, 3, intervals={KEY: (0.3, 0.5)})
    assert steps(board(other, ours)) == [(2, 0.4)]
    (step,) = next(m.steps for m in best_over_time(board(ours)).metrics if m.metric == KEY)
    assert (step.low, step.high, step.submitted_on) == (0.3, 0.5, FIRST + timedelta(days=3))
    (found,) = task_leaders(board(other, ours), Task.NEXT_ACTION, ()).metrics
    assert [(each.entry_id.int, each.rank) for each in found.leaders] == [(2, 2)]


def stored(number: int, **sources: tuple[float, float, int]) -> dict[str, object]:
    """A score as it is stored: of each source compat, strict and how many answers."""
    parts = {
        name: {"compat": compat, "strict": strict, "answered": answered}
        for name, (compat, strict, answered) in sources.items()
    }
    return {"entry_id": UUID(int=number), "metric": KEY, "by_source": orjson.dumps(parts).decode()}


@pytest.mark.parametrize(("scoring", "avos", "best"), [("compat", 0.7, 2), ("strict", 0.2, 1)])
def test_leaders_have_values_by_source_and_sources_leaders(
    scoring: Scoring, avos: float, best: int
) -> None:
    enough, few = FEWEST_ANSWERS, FEWEST_ANSWERS - 1
    rows = [
        stored(1, CoPESD=(0.5, 0.5, enough), AVOS=(avos, avos, enough)),
        stored(2, CoPESD=(0.9, 0.1, enough), AVOS=(avos, avos, enough), NurViD=(1.0, 1.0, few)),
        stored(9, CoPESD=(1.0, 1.0, enough)),  # of an entry that the board does not list
    ]
    shown = board(entry(1, 0.8), entry(2, 0.6), entry(3, 0.5), scoring=scoring)
    (found,) = task_leaders(shown, Task.NEXT_ACTION, rows).metrics
    assert found.models == 3
    first, second, imported = found.leaders
    assert [*first.by_source] == sorted(first.by_source, key=SOURCES.index)
    assert second.by_source["NurViD"] is None
    # What is shown of all less what is shown of the others is what is withheld.
    assert second.by_source["AVOS"] is None
    assert imported.by_source == {}
    assert [(each.source, each.entry_id.int, each.models) for each in found.sources] == [
        ("AVOS", 1, 1), ("CoPESD", best, 2),
    ]  # fmt: skip


def test_leaders_are_the_ten_best_equal_ones_in_the_boards_order() -> None:
    ranks = [3, 1, 1, *range(4, 14)]
    entries = [
        entry(number, 1 - rank / 20, ranks={KEY: rank}) for number, rank in enumerate(ranks, 1)
    ]
    (found,) = task_leaders(board(*entries), Task.NEXT_ACTION, ()).metrics
    assert found.models == len(ranks)
    assert [each.entry_id.int for each in found.leaders] == [2, 3, 1, *range(4, 11)]


@given(st.floats(0, 5), st.floats(0, 5))
def test_ticks_are_few_and_hold_the_values(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    assert ticks[0] <= low + 1e-6 * max(1, low)
    assert high <= ticks[-1] + 1e-6 * max(1, high)
    gaps = [after - before for before, after in itertools.pairwise(ticks)]
    assert max(gaps) == pytest.approx(min(gaps))


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 20_000))
def test_days_on_the_axis_are_few_and_within_it(begins: date, length: int) -> None:
    ends = begins + timedelta(days=length)
    days = [day for day, _ in day_ticks(begins, ends)]
    assert days == sorted(set(days))
    assert 1 <= len(days) <= 5
    assert begins <= days[0] <= days[-1] <= ends


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0, 5)), min_size=1, max_size=8))
def test_a_chart_goes_up_and_to_the_right_on_the_drawing(values: list[tuple[int, float]]) -> None:
    days, heights = (sorted(each) for each in zip(*values, strict=True))
    drawn = step_chart(
        [
            DatedValue(FIRST + timedelta(days=day), value, (value, value + 0.1))
            for day, value in zip(days, heights, strict=True)
        ],
        FIRST,
        FIRST + timedelta(days=400),
    )
    assert drawn.path.endswith(f"H{drawn.right:g}")
    across, down = zip(*drawn.spots, strict=True)
    assert list(across) == sorted(across)
    assert list(down) == sorted(down, reverse=True)
    assert drawn.left <= across[0] <= across[-1] <= drawn.right
    assert all(0 <= each <= drawn.bottom for each in down)


SIZES = st.sampled_from([None, 1, 2, 3, 4, 5])


@given(st.lists(st.tuples(SIZES, st.integers(0, 5) | st.none()), max_size=10), st.booleans())
def test_the_front_is_what_nothing_smaller_or_cheaper_is_as_good_as(
    models: list[tuple[int | None, int | None]], by_rank: bool
) -> None:
    entries = [
        entry(number, score, facts={"parameters": size} if size else None).model_copy(
            update={"mean_rank": score} if by_rank else {}
        )
        for number, (size, score) in enumerate(models, 1)
    ]
    found = size_and_cost(board(*entries), "parameters", "mean_rank" if by_rank else KEY)
    sign = -1 if by_rank else 1
    known = [(size, sign * score) for size, score in models if size and score is not None]
    assert sorted((each.fact, sign * each.score) for each in found.models) == sorted(known)
    assert [each.fact for each in found.models] == sorted(each.fact for each in found.models)
    for each in found.models:
        own = (each.fact, sign * each.score)
        beaten = any(
            size <= own[0] and worth >= own[1] and (size, worth) != own for size, worth in known
        )
        assert each.on_front == (not beaten)
    unknown = [n for n, (size, score) in enumerate(models, 1) if not size and score is not None]
    assert [each.entry_id.int for each in found.unknown] == unknown
    assert found.without_score == sum(score is None for _, score in models)


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=5))
def test_costs_lie_within_few_marks(costs: list[float]) -> None:
    costs = [0.0 if cost < 1e-6 else cost for cost in costs]
    marks, nothing = cost_ticks(costs)
    assert marks == sorted(set(marks))
    assert 2 <= len(marks) <= 11
    assert (nothing == marks[0]) == (0.0 in costs)
    assert all(marks[0] <= cost * (1 + 1e-6) <= marks[-1] * (1 + 2e-6) for cost in costs if cost)


def test_names_on_the_drawing_do_not_overlap() -> None:
    given_ = [Sized(cost, 0.3 + cost / 1e4, on_front=True) for cost in range(1, 40)]
    drawn = scatter_chart(given_, lower_is_better=False, cost_label=str)
    heights = sorted(y for _, _, y, _ in drawn.labels)
    assert len(heights) >= 2
    assert min(after - before for before, after in itertools.pairwise(heights)) >= 12
    assert drawn.front.count("V") == len(given_) - 1
    lower = scatter_chart(given_, lower_is_better=True, cost_label=str)
    assert lower.spots[0][1] < lower.spots[-1][1]
