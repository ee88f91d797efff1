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
from services.gateway.boards.task_leaders import task_leaders
from services.gateway.pages.charts import DatedValue, day_ticks, nice_ticks, step_chart

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
