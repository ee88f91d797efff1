"""What is read off boards beside their order: made once for each state of a board, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeVar

from medvid.benchmark.tasks import BOARDS, Board, Scoring, Task
from medvid.models.boards import Leaderboard
from medvid.models.comparisons import BothBoards, PlacedEntry
from medvid.models.facts import FactFilters
from medvid.models.figures import BoardFigure, SizeFact, TaskLeaders
from services.gateway.boards import models as board_models
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.cursors import TableForm
from services.gateway.boards.forms import content_type
from services.gateway.boards.over_time import best_over_time, over_time_csv
from services.gateway.boards.size_and_cost import size_and_cost, size_and_cost_csv
from services.gateway.boards.spreadsheet import boards_csv
from services.gateway.boards.store import SnapshotStore
from services.gateway.boards.task_leaders import metrics_of, task_leaders, task_leaders_csv
from services.gateway.web.addresses import LOCAL
from services.gateway.web.endpoints import CSV, JSON
from services.gateway.web.render_cache import RenderCache, bytes_of
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.turns import USUAL, Turns, WaitingLimits

FigureT = TypeVar("FigureT", bound=BoardFigure)
_KEPT_BYTES: Final = 8 << 20
_KEPT_TASKS: Final = 64
"""Twice as many as there are tasks, boards and scorings to ask for."""


class BoardFigures:
    """Makes figures of the current boards, and keeps them within limits."""

    def __init__(
        self,
        boards: Boards,
        store: SnapshotStore,
        *,
        kept_bytes: int = _KEPT_BYTES,
        limits: WaitingLimits = USUAL,
    ) -> None:
        self._boards = boards
        self._store = store
        turns = Turns(limits)
        self._tasks = RenderCache[TaskLeaders](turns, lambda _: 1, _KEPT_TASKS)
        self._made = RenderCache(turns, bytes_of, kept_bytes)

    async def over_time(
        self, board: Board, scoring: Scoring, form: TableForm, *, address: str = LOCAL
    ) -> Representation:
        """Return how a board's best values grew."""
        ready = self._boards.get(board, scoring)
        key = ("over time", board, scoring, ready.state, form)

        def make() -> Representation:
            return _file(best_over_time(ready.board), "best-over-time", over_time_csv, form)

        return await self._keep(key, make, address)

    async def both(
        self, scoring: Scoring, filters: FactFilters, form: TableForm, *, address: str = LOCAL
    ) -> Representation:
        """Return the models of both boards, as far as they pass filters."""
        ready = [self._boards.get(board, scoring) for board in BOARDS]
        key = ("both", scoring, *(each.state for each in ready), filters, form)
        return await self._keep(
            key, lambda: _both([each.board for each in ready], filters, form), address
        )

    async def size_and_cost(
        self,
        board: Board,
        scoring: Scoring,
        fact: SizeFact,
        score: str,
        form: TableForm,
        *,
        address: str = LOCAL,
    ) -> Representation:
        """Return what a board's scores cost."""
        ready = self._boards.get(board, scoring)
        key = ("size and cost", board, scoring, ready.state, fact, score, form)

        def make() -> Representation:
            found = size_and_cost(ready.board, fact, score)
            return _file(found, f"{score}-by-{fact}", size_and_cost_csv, form)

        return await self._keep(key, make, address)

    async def task(
        self, board: Board, scoring: Scoring, task: Task, form: TableForm, *, address: str = LOCAL
    ) -> Representation:
        """Return a task's leaders; raises Transient."""
        state = self._boards.get(board, scoring).state
        found = await self.leaders(board, scoring, task, address=address)
        key = ("task", board, scoring, state, task, form)
        return await self._keep(key, lambda: _file(found, task, task_leaders_csv, form), address)

    async def leaders(
        self, board: Board, scoring: Scoring, task: Task, *, address: str = LOCAL
    ) -> TaskLeaders:
        """Return a task's leaders, to be drawn; raises Transient."""
        ready = self._boards.get(board, scoring)

        async def find() -> TaskLeaders:
            rows = await self._store.sources_of(board, metrics_of(task))
            return await asyncio.to_thread(task_leaders, ready.board, task, rows)

        key = ("leaders", board, scoring, ready.state, task)
        return await self._tasks.get(address, key, find)

    async def _keep(
        self, key: Hashable, make: Callable[[], Representation], address: str
    ) -> Representation:
        # In a thread: a board of thousands takes a while.
        return await self._made.get(address, key, lambda: asyncio.to_thread(make))


def _both(boards: Sequence[Leaderboard], filters: FactFilters, form: TableForm) -> Representation:
    narrowed = [
        board.model_copy(
            update={"entries": [each for each in board.entries if filters.keep(each.facts)]}
        )
        for board in boards
    ]
    if form == "csv":
        return _sent(boards_csv(narrowed), f"both-{boards[0].scoring}", form)
    entries = [
        PlacedEntry(**entry.model_dump(), board=board.board)
        for board in narrowed
        for entry in board.entries
    ]
    found = BothBoards(
        scoring=boards[0].scoring,
        boards=board_models.index(boards).boards,
        filters=filters.asked(),
        total=len(entries),
        entries=entries,
    )
    return _sent(found.model_dump_json(), "", form)


def _file(
    found: FigureT, name: str, csv: Callable[[FigureT], str], form: TableForm
) -> Representation:
    """Return a figure as it is sent."""
    text = csv(found) if form == "csv" else found.model_dump_json()
    file = f"{found.board}-{found.scoring}-{name}-{found.snapshot or 0}"
    return _sent(text, file, form)


def _sent(text: str, file: str, form: TableForm) -> Representation:
    headers = {**READ_HEADERS, "Vary": "Accept, Accept-Encoding"}
    if form == "csv":
        headers["Content-Disposition"] = f'attachment; filename="medvidbench-{file}.csv"'
    return represent(
        text.encode(),
        content_type=content_type(CSV if form == "csv" else JSON),
        cache_control=CACHE_CONTROL,
        headers=headers,
    )
