"""Operations that read what boards say beside their order."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import AfterValidator, Field

from medvid.benchmark.tasks import Scoring, Task
from medvid.models.comparisons import BothBoards
from medvid.models.facts import FILTERS, FactFilters
from medvid.models.figures import (
    MEAN_RANK,
    SCORES,
    BestOverTime,
    SizeAndCost,
    SizeFact,
    TaskLeaders,
)
from services.gateway.boards.cursors import TableForm
from services.gateway.boards.figures import BoardFigures
from services.gateway.boards.forms import accepted_table
from services.gateway.boards.names import BoardName
from services.gateway.boards.size_and_cost import known_score
from services.gateway.boards.task_leaders import known_task
from services.gateway.web.endpoints import CSV, JSON, Reply
from services.gateway.web.parameters import Parameters
from services.gateway.web.representations import Representation
from services.gateway.web.router import PathText, Router

router: Final = Router("boards")
TaskName = Annotated[
    Task,
    Field(description="which task, as 'columns' of a board name it"),
    PathText(known_task),
]


class FigureQuery(Parameters):
    """In which scoring and form a figure is asked for."""

    scoring: Scoring = Field("compat", description="the values that are looked at")
    format: TableForm | None = Field(None, description="wins over the Accept header")


class BothQuery(FactFilters, FigureQuery):  # the fields of the last base come first
    """Which models of both boards are asked for."""


@router.get(
    "/leaderboards/both",
    reply=Reply("The models.", {JSON: BothBoards, CSV: None}, etag=True),
)
async def read_both_boards(
    figures: BoardFigures, request: web.Request, query: BothQuery, address: str
) -> Representation:
    """Read both boards as one list.

    Each model with its board and its rank there; there is no rank over both, as a rank is among the
    models that were ranked together. Filters are those of a board.
    """
    form = query.format or accepted_table(request)
    given = {name: getattr(query, name) for name in FILTERS}
    filters = FactFilters.model_construct(**given)
    return await figures.both(query.scoring, filters, form, address=address)


@router.get(
    "/leaderboards/{board}/best-over-time",
    reply=Reply("The best values.", {JSON: BestOverTime, CSV: None}, etag=True),
    problems=("board_not_found",),
)
async def read_best_over_time(
    figures: BoardFigures,
    request: web.Request,
    board: BoardName,
    query: FigureQuery,
    address: str,
) -> Representation:
    """Read the best values over time.

    For each metric the values that were above all before them, by the day of submission, of the
    entries that the board lists now.
    """
    form = query.format or accepted_table(request)
    return await figures.over_time(board, query.scoring, form, address=address)


class SizeAndCostQuery(FigureQuery):
    """Which scores are held against which fact."""

    score: Annotated[
        str, AfterValidator(known_score), Field(json_schema_extra={"enum": list(SCORES)})
    ] = Field(MEAN_RANK, description="a metric, or the mean rank")
    fact: SizeFact = Field(
        "parameters", description="what is stated of models, of which less is better"
    )


@router.get(
    "/leaderboards/{board}/size-and-cost",
    reply=Reply("The models.", {JSON: SizeAndCost, CSV: None}, etag=True),
    problems=("board_not_found",),
)
async def read_size_and_cost(
    figures: BoardFigures,
    request: web.Request,
    board: BoardName,
    query: SizeAndCostQuery,
    address: str,
) -> Representation:
    """Read what scores cost.

    Entries by a score and a stated fact, and which of them are on the Pareto front: nothing that is
    smaller or cheaper is as good. Entries of which the fact is unknown are listed apart.
    """
    form = query.format or accepted_table(request)
    return await figures.size_and_cost(
        board, query.scoring, query.fact, query.score, form, address=address
    )


@router.get(
    "/leaderboards/{board}/tasks/{task}",
    reply=Reply("The leaders.", {JSON: TaskLeaders, CSV: None}, etag=True),
    problems=("board_not_found", "task_not_found"),
)
async def read_task(
    figures: BoardFigures,
    request: web.Request,
    board: BoardName,
    task: TaskName,
    query: FigureQuery,
    address: str,
) -> Representation:
    """Read a task's leaders.

    For each metric of the task the ten best entries with their values by source dataset, and the
    best entry within each source.
    """
    form = query.format or accepted_table(request)
    return await figures.task(board, query.scoring, task, form, address=address)
