"""Plots and comparisons: coordinates on the drawing, gaps where values are missing, differences."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.tasks import METRIC_KEYS, METRICS
from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.pages import plots, rank_history
from services.gateway.pages.compare_page import render_comparison
from services.gateway.pages.comparison import MAX_MODELS, asked_models, choose, compare
from services.gateway.pages.rendering import Pages

HALF = {metric.key: (metric.minimum + metric.maximum) / 2 for metric in METRICS}
BEST = {metric.key: metric.maximum for metric in METRICS}
WORST = {metric.key: metric.minimum for metric in METRICS}


@dataclass(frozen=True)
class Entry:
    values: dict[str, float | None]
    entry_id: UUID
    rank: int | None = 1
    withheld: dict[str, object] = field(default_factory=dict)
    series: dict[str, str | None] = field(default_factory=dict)


def row_of(rank: int) -> LeaderboardEntry:
    return LeaderboardEntry(
        rank=rank,
        entry_id=UUID(int=rank),
        model_name=f"Model {rank}",
        organization="Lab",
        submitted_on=date(2026, 1, 1),
        mean_rank=float(rank),
        values=dict.fromkeys(METRIC_KEYS, 1 / rank),
        ranks=dict.fromkeys(METRIC_KEYS, rank),
    )


def entry(**changes: float | None) -> Entry:
    return Entry({**HALF, **changes}, uuid4())


def test_axes_run_from_the_worst_possible_to_the_best_on_the_board() -> None:
    plot = plots.parallel([BEST, HALF, WORST], [BEST, HALF, WORST])
    best, half, worst = plot.lines
    for index, axis in enumerate(plot.axes):
        assert (best.points[index].y, worst.points[index].y) == (axis.end.y, axis.start.y)
        assert half.points[index].y == pytest.approx((axis.end.y + axis.start.y) / 2, abs=0.1)
        assert axis.best == METRICS[index].maximum
    assert plots.parallel([HALF], [HALF]).lines[0].points[0].y == plot.axes[0].end.y


def test_a_missing_value_leaves_a_gap() -> None:
    values = {**HALF, "sa_acc": None}
    line = plots.parallel([values], [HALF]).lines[0]
    assert len(line.points) == len(METRIC_KEYS) - 1
    assert line.path.count("M") == 2
    closed = plots.radar([HALF, values], [HALF]).lines
    assert closed[0].path.endswith("Z")
    assert "Z" not in closed[1].path


def test_a_line_with_a_gap_has_no_inside() -> None:
    values = {**HALF, "sa_acc": None}
    whole, broken = plots.radar([HALF, values], [HALF]).lines
    assert (whole.whole, broken.whole) == (True, False)
    page = Pages().environment.get_template("_plots.html").module
    drawn = page.series([whole, broken], ["One", "Other"])  # type: ignore[attr-defined]
    assert drawn.count('class="course"') == drawn.count('class="course open"') == 1


def test_bands_hold_the_models_that_have_a_value() -> None:
    """Of 101 models from worst to best on one axis; on another none has a value."""
    shares = [place / 100 for place in range(101)]
    board = [{**HALF, "nap_acc": share, "sa_acc": None} for share in shares]
    drawn = plots.bands(board)
    axis = plots.parallel([], board).axes[1]
    at = [axis.start.y + share * (axis.end.y - axis.start.y) for share in (0.05, 0.25, 0.5, 0.95)]
    points = [f"{axis.start.x:g} {round(y, 1):g}" for y in at]
    assert points[0] in drawn.most
    assert points[3] in drawn.most
    assert points[1] in drawn.half
    assert points[2] in drawn.median
    assert drawn.most.count("Z") == drawn.half.count("Z") == 2, "one area on each side of the gap"


def test_many_models_are_no_mat_of_lines() -> None:
    """However many there are, the background of a comparison does not grow."""
    few, many = (
        Leaderboard.empty("community", "compat").model_copy(
            update={"entries": [row_of(number) for number in range(1, count + 1)]}
        )
        for count in (plots.MOST_LINES, 237)
    )
    drawn = [render_comparison(Pages(), [board], []) for board in (few, many)]
    assert drawn[0].count("<path d=") - drawn[1].count("<path d=") == plots.MOST_LINES
    assert [page.count('class="band"') for page in drawn] == [0, 2]


def test_a_board_without_values_can_be_drawn() -> None:
    nothing = dict.fromkeys(METRIC_KEYS)
    for plot in (plots.radar([nothing], [nothing]), plots.parallel([], [])):
        assert all(line.path == "" for line in plot.lines)
        assert len(plot.axes) == len(METRIC_KEYS)


@given(st.lists(st.floats(0, 1) | st.none(), min_size=10, max_size=10))
def test_every_point_lies_on_the_drawing(values: list[float | None]) -> None:
    row = dict(zip(METRIC_KEYS, values, strict=True))
    for plot in (plots.radar([row], [row, HALF]), plots.parallel([row], [row, HALF])):
        for point in plot.lines[0].points:
            assert 0 <= point.x <= plot.width
            assert 0 <= point.y <= plot.height


def test_models_are_chosen_in_the_order_of_the_address() -> None:
    entries = [entry() for _ in range(9)]
    ids = [str(each.entry_id) for each in entries]
    assert asked_models([f"{ids[3]},{ids[1]}", ids[3], ""]) == [ids[3], ids[1]]
    assert choose(entries, [ids[3], "not-there", ids[1]]) == [entries[3], entries[1]]
    assert choose(entries, []) == entries[:3]
    unranked = [replace(each, rank=None) for each in entries]
    assert choose([entries[0], *unranked[1:]], []) == [entries[0]]
    assert choose(unranked, [ids[3]]) == [unranked[3]]
    assert len(choose(entries, ids)) == MAX_MODELS


def test_differences_are_to_the_first_model_and_of_the_shown_values() -> None:
    first, second, third = entry(cvs_acc=0.898), entry(cvs_acc=0.9), entry(cvs_acc=None)
    cells = compare([first, second, third])[0].cells
    assert [cell.difference for cell in cells] == [None, 0.002, None]
    assert [cell.best for cell in cells] == [False, True, False]
    assert not any(cell.best for row in compare([first]) for cell in row.cells)


def test_values_of_different_judges_are_not_compared() -> None:
    one, other = (
        Entry({**HALF, "vs_llm": value}, uuid4(), series={"vs_llm": judge})
        for value, judge in ((3.0, "a" * 16), (4.0, "b" * 16))
    )
    cells = next(row for row in compare([one, other]) if row.key == "vs_llm").cells
    assert [cell.series for cell in cells] == ["a" * 16, "b" * 16]
    assert not any(cell.best or cell.difference for cell in cells)
    alike = replace(other, series={"vs_llm": "a" * 16})
    cells = next(row for row in compare([one, alike]) if row.key == "vs_llm").cells
    assert [(cell.series, cell.difference) for cell in cells] == [(None, None), (None, 1.0)]


@dataclass(frozen=True)
class Span:
    rank: int
    since: datetime
    until: datetime | None


def test_ranks_over_time_are_steps_with_gaps() -> None:
    day = timedelta(days=1)
    begin = datetime(2026, 4, 1, tzinfo=UTC)
    spans = [
        Span(1, begin + 6 * day, None),
        Span(5, begin + day, begin + 4 * day),
        Span(3, begin, begin + day),
    ]
    drawing = rank_history.draw(spans, begin + 8 * day)
    assert drawing is not None
    assert [rank for _, _, rank in drawing.changes] == [3, 5, 1]
    assert drawing.path.count("M") == 2  # it was off the board for two days
    assert drawing.path.endswith(f"H{drawing.right:g}")
    heights = [y for _, y, _ in drawing.changes]
    assert heights[2] < heights[0] < heights[1]
    assert [tick.rank for tick in drawing.ticks] == [1, 2, 3, 4, 5]
    assert rank_history.draw([], begin) is None


def test_a_rank_that_never_changed_is_a_line() -> None:
    begin = datetime(2026, 4, 1, tzinfo=UTC)
    drawing = rank_history.draw([Span(1, begin, None)], begin)
    assert drawing is not None
    assert drawing.path.startswith("M")


def test_whiskers_run_along_the_axes_of_values_that_have_intervals() -> None:
    middle = METRICS[0].minimum + (METRICS[0].maximum - METRICS[0].minimum) / 4
    ends = {METRICS[0].key: (METRICS[0].minimum, middle)}
    plot = plots.parallel([HALF, BEST], [BEST], [ends, {}])
    axis = plot.axes[0]
    top = axis.start.y + (axis.end.y - axis.start.y) / 4
    low, high = f"M{axis.start.x:g} {axis.start.y:g}", f"L{axis.start.x:g} {top:g}"
    assert [line.whiskers for line in plot.lines] == [f"{low} {high}", ""]
    assert plots.radar([HALF], [BEST], [ends]).lines[0].whiskers.startswith("M")
    assert [line.whiskers for line in plots.radar([HALF], [BEST]).lines] == [""]
