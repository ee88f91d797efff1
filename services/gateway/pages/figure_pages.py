"""Pages of what is read off a board beside its order: its best values over time, its tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

from aiohttp import web

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board, Scoring
from medvid.models.boards import COLUMNS, Leaderboard, LeaderboardEntry
from medvid.models.fact_texts import LABELS, shown_fact
from medvid.models.figures import (
    MEAN_RANK,
    SIZE_FACTS,
    BestOverTime,
    BestStep,
    MeasuredValue,
    SizeAndCost,
    SizedModel,
    TaskLeaders,
)
from services.gateway.boards.current import Boards, ReadyBoard
from services.gateway.boards.figures import BoardFigures
from services.gateway.boards.names import known_board
from services.gateway.boards.over_time import best_over_time, ranking_value
from services.gateway.boards.size_and_cost import known_fact, known_score, size_and_cost
from services.gateway.boards.task_leaders import known_task, task_leaders
from services.gateway.boards.urls import scoring_query
from services.gateway.pages.about import GUIDES
from services.gateway.pages.board_view import MOST_ROWS, View
from services.gateway.pages.both_boards import both_view, render_both
from services.gateway.pages.charts import (
    DatedValue,
    Sized,
    StepChart,
    scale,
    scatter_chart,
    step_chart,
)
from services.gateway.pages.metric_pages import metric_guides
from services.gateway.pages.rendering import Pages, switches
from services.gateway.pages.routes import asked_scoring
from services.gateway.pages.views import PageViews
from services.gateway.web.responses import send
from services.gateway.web.urls import PAGES, url
from shared.runtime.errors import InvalidInput, Transient

Known = TypeVar("Known", bound=str)
_EXTENT: Final = 160.0
_MARGIN: Final = 6.0


@dataclass(frozen=True, slots=True)
class FigurePages:
    """What these pages are made with."""

    boards: Boards
    figures: BoardFigures
    made: PageViews
    pages: Pages
    address: Callable[[web.Request], str]

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        return [
            web.get(PAGES["tasks"], self._tasks),
            web.get(PAGES["task"], self._task),
            web.get(PAGES["over_time"], self._over_time),
            web.get(PAGES["size_and_cost"], self._size_and_cost),
            web.get(PAGES["both"], self._both),
        ]

    async def _over_time(self, request: web.Request) -> web.Response:
        ready = self._asked(request)

        def write(around: dict[str, Any]) -> str:
            return self.pages.render(
                "over_time.html", **around, **shown_over_time(best_over_time(ready.board))
            )

        return await self._send(request, ready, "over_time", write)

    async def _tasks(self, request: web.Request) -> web.Response:
        ready = self._asked(request)

        def write(around: dict[str, Any]) -> str:
            leaders = {column.key: _leader(ready.board, column.key) for column in COLUMNS}
            return self.pages.render("tasks.html", **around, guides=GUIDES, leaders=leaders)

        return await self._send(request, ready, "tasks", write)

    async def _task(self, request: web.Request) -> web.Response:
        ready, task = self._asked(request), known_task(request.match_info["task"])
        shown = ready.board
        try:
            found = await self.figures.leaders(
                shown.board, shown.scoring, task, address=self.address(request)
            )
        except Transient:  # what is in memory is shown all the same
            found = None

        def write(around: dict[str, Any]) -> str:
            leaders = found or task_leaders(shown, task, ())
            guide = next(guide for guide in GUIDES if guide.task == task)
            return self.pages.render(
                "task.html",
                **around,
                guide=guide,
                guides=GUIDES,
                definitions=metric_guides(),
                **shown_task(leaders),
            )

        return await self._send(
            request, ready, "task", write, task=task, complete=found is not None
        )

    async def _size_and_cost(self, request: web.Request) -> web.Response:
        ready = self._asked(request)
        fact = _known(request, "fact", SIZE_FACTS[0], known_fact)
        score = _known(request, "score", MEAN_RANK, known_score)

        def write(around: dict[str, Any]) -> str:
            shown = shown_size_and_cost(size_and_cost(ready.board, fact, score))
            return self.pages.render("size_and_cost.html", **around, **shown)

        query = {"score": score, "fact": fact}
        return await self._send(request, ready, "size_and_cost", write, query=query)

    async def _both(self, request: web.Request) -> web.Response:
        scoring, view = asked_scoring(request), both_view(View.of(request.query.items()))
        shown = [self.boards.get(board, scoring).board for board in BOARDS]
        valueless = frozenset(
            each
            for each in SCORINGS
            if all((board, each) in self.boards.valueless for board in BOARDS)
        )
        made = await self.made.about_boards(
            shown,
            ("both", view, valueless),
            lambda: render_both(self.pages, shown, view, valueless),
            address=self.address(request),
        )
        return send(request, made)

    def _asked(self, request: web.Request) -> ReadyBoard:
        return self.boards.get(known_board(request.match_info["board"]), asked_scoring(request))

    async def _send(
        self,
        request: web.Request,
        ready: ReadyBoard,
        name: str,
        write: Callable[[dict[str, Any]], str],
        *,
        complete: bool = True,
        query: Mapping[str, object] = MappingProxyType({}),
        **path: str,
    ) -> web.Response:
        """Send the page of this name; `complete`: nothing that belongs on it is out of reach."""
        shown, valueless = ready.board, self.boards.valueless

        def address(board: Board, scoring: Scoring) -> str:
            return url(name, board=board, **path, query={**scoring_query(scoring), **query})

        around = {
            "board": shown,
            "page": name,
            "view_shown": "tasks" if name == "task" else name,
            "rows": {entry.entry_id: entry for entry in shown.entries},
            "switches": switches(address, valueless),
            "downloads": _downloads(name, shown, query, **path),
        }
        made = await self.made.about_boards(
            [shown],
            (name, *path.values(), *query.values(), valueless, complete),
            lambda: write(around),
            address=self.address(request),
        )
        return send(request, made)


def _known(request: web.Request, name: str, usual: Known, read: Callable[[str], Known]) -> Known:
    """Return what an address asks for under a name; raises InvalidInput."""
    asked = request.query.get(name)
    try:
        return usual if asked is None else read(asked)
    except ValueError as error:
        raise InvalidInput(
            f"{name} is {asked!r:.40}.", fix=f"It is {error}.", code="invalid_query"
        ) from None


def _downloads(
    name: str, shown: Leaderboard, query: Mapping[str, object], **path: str
) -> list[tuple[str, str]]:
    """Return label and address of what a page shows, as files; the list of tasks has none."""
    if name == "tasks":
        return []
    asked = {**scoring_query(shown.scoring), **query}
    return [
        (label, url(f"api_{name}", board=shown.board, **path, query={**asked, **form}))
        for label, form in (("CSV", {"format": "csv"}), ("JSON", {}))
    ]


def _leader(board: Leaderboard, key: str) -> tuple[LeaderboardEntry | None, int]:
    """Return the best entry of a metric, and how many have a value that ranks."""
    ranked = [entry for entry in board.entries if ranking_value(entry, key) is not None]
    return min(ranked, key=lambda entry: entry.ranks[key], default=None), len(ranked)


def shown_over_time(found: BestOverTime) -> dict[str, Any]:
    """Return what the page shows of the best values over time: a chart for each metric."""
    days = [step.submitted_on for metric in found.metrics for step in metric.steps]
    if found.updated_at is not None:
        days.append(found.updated_at.date())
    steps = {metric.metric: metric.steps for metric in found.metrics}
    return {
        "charts": [
            (column, steps[column.key], _chart(steps[column.key], min(days), max(days)))
            for column in COLUMNS
            if steps[column.key]
        ],
        "without": [column for column in COLUMNS if not steps[column.key]],
    }


def _chart(steps: Sequence[BestStep], begins: date, ends: date) -> StepChart:
    values = [DatedValue(step.submitted_on, step.value, _ends(step)) for step in steps]
    return step_chart(values, begins, ends)


def _ends(found: MeasuredValue | SizedModel) -> tuple[float, float] | None:
    return None if found.low is None or found.high is None else (found.low, found.high)


def shown_size_and_cost(found: SizeAndCost) -> dict[str, Any]:
    """Return what the page shows of what scores cost: the drawing, and what there is to choose."""
    labels = {MEAN_RANK: "Mean rank", **{column.key: column.label for column in COLUMNS}}
    shown = found.models[:MOST_ROWS]
    return {
        "found": found,
        "shown": shown,
        "most": MOST_ROWS,
        "score_labels": labels.items(),
        "score_label": labels[found.score],
        "fact_choices": [(fact, LABELS[fact]) for fact in SIZE_FACTS],
        "fact_label": LABELS[found.fact],
        "shown_fact": _cost_text,
        "chart": scatter_chart(
            [Sized(each.fact, each.score, each.on_front, _ends(each)) for each in shown],
            lower_is_better=found.better == "lower",
            cost_label=partial(_cost_text, found.fact),
        )
        if shown
        else None,
    }


def _cost_text(fact: str, cost: float) -> str:
    return shown_fact(fact, int(cost) if cost.is_integer() else cost)


def shown_task(found: TaskLeaders) -> dict[str, Any]:
    """Return what the page shows of a task's leaders: where their intervals lie, and sources."""
    return {
        "metrics": [
            (
                each,
                _extents(each.leaders),
                list(dict.fromkeys(name for top in each.leaders for name in top.by_source)),
            )
            for each in found.metrics
        ]
    }


def _extents(leaders: Sequence[MeasuredValue]) -> list[tuple[float, str]]:
    """Return where each value lies in a small drawing, with its interval as path data."""
    ends = [_ends(each) for each in leaders]
    known = [each.value for each in leaders] + [end for pair in ends for end in pair or ()]
    if not known:
        return []
    x = scale(min(known), max(known), _MARGIN, _EXTENT - _MARGIN)
    return [
        (x(each.value), f"M{x(pair[0]):g} 9H{x(pair[1]):g}" if pair else "")
        for each, pair in zip(leaders, ends, strict=True)
    ]
