"""Operations that read results for other tools: papers, the Hub, notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Scoring
from medvid.models.boards import Leaderboard, LeaderboardEntry
from medvid.models.comparisons import ComparedModel, EntryComparison, SideBySide
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.entries import entry_of
from services.gateway.boards.exports import EntryForm, ResultFiles, entry_file
from services.gateway.boards.forms import content_type
from services.gateway.boards.models import intervals_of
from services.gateway.boards.names import BoardName, BoardsName, EntryText
from services.gateway.boards.store import SnapshotStore, entry_not_found
from services.gateway.boards.tables import latex_table, markdown, side_by_side, table_csv
from services.gateway.boards.urls import boards_of
from services.gateway.boards.views import BoardViews
from services.gateway.boards.withdrawn import GoneEntries
from services.gateway.web.endpoints import (
    BIBTEX,
    CSV,
    JSON,
    JSON_LINES,
    LATEX,
    MARKDOWN,
    YAML,
    Reply,
)
from services.gateway.web.parameters import Number, Parameters, uuid_of
from services.gateway.web.representations import Representation, represent
from services.gateway.web.router import Router
from services.gateway.web.security import READ_HEADERS
from shared.runtime.errors import InvalidInput, NotFound

router: Final = Router("boards")
_MOST_MODELS: Final = 6
_MOST_ENTRIES: Final = 500
_TABLES: Final = {
    "json": (JSON, "json", None),
    "markdown": (MARKDOWN, "md", markdown),
    "latex": (LATEX, "tex", latex_table),
    "csv": (CSV, "csv", table_csv),
}


class EntryExportQuery(Parameters):
    """In what form an entry is asked for."""

    format: EntryForm = Field(
        description="bibtex: how it is cited; eval-results: for `.eval_results/` of its repository "
        "on Hugging Face's Hub; model-index: for its model card; every-eval-ever: a record of "
        "Every Eval Ever, schema 0.3.0"
    )


@router.get(
    "/leaderboards/{board}/entries/{id}/export",
    reply=Reply("The file.", {JSON: None, YAML: None, BIBTEX: None}, etag=True),
    problems=("board_not_found", "entry_not_found", "entry_gone", "hub_dataset_not_set"),
)
async def export_entry(
    boards: Boards,
    store: SnapshotStore,
    departed: GoneEntries,
    board: BoardName,
    id: EntryText,
    query: EntryExportQuery,
) -> Representation:
    """Export an entry.

    Its values as other tools read them, of compat scoring unless the form has room for both.
    """
    details = await entry_of(boards, store, board, id, departed)
    return entry_file(query.format, details, boards.get(board, "compat").board)


class HistoryQuery(Parameters):
    """Which entries' ranks are asked for."""

    after: UUID | None = Field(None, description="entries whose id comes after this one")
    limit: Annotated[Number, Field(ge=1, le=_MOST_ENTRIES)] = Field(
        100,
        description="entries a page, each with its newest 1,000 ranks; fewer of very many ranks",
    )


@router.get(
    "/leaderboards/{board}/history",
    reply=Reply(
        "The ranks.",
        {JSON_LINES: None},
        headers={"Link": "the next page, if there is one"},
        etag=True,
    ),
    problems=("board_not_found",),
)
async def read_history(
    files: ResultFiles, board: BoardName, query: HistoryQuery, address: str
) -> Representation:
    """Read the rank history of a board.

    One line a rank for as long as it lasted, in either scoring, of the entries that are listed
    now; `until` is null where an entry stands there still. Pages follow the ids of entries.
    """
    return await files.history(board, query.after, query.limit, address=address)


@router.get(
    "/results",
    reply=Reply("All results.", {JSON_LINES: None}, etag=True),
)
async def read_results(files: ResultFiles, address: str) -> Representation:
    """Read all public results in one file.

    One object a line, by `kind`: `about` (boards, columns, rule), `board` (each board in each
    scoring), `row` (its entries, with intervals) and `entry` (each entry by source, with what its
    values were computed from). Histories have an address of their own.
    """
    return await files.everything(address=address)


class SideBySideQuery(Parameters):
    """Which models are set side by side, and in what form."""

    models: Annotated[
        str,
        Field(
            min_length=1,
            max_length=_MOST_MODELS * 40,
            json_schema_extra={"format": "entry-ids"},
        ),
    ] = Field(
        description=f"up to {_MOST_MODELS} ids of entries, comma-separated; others are compared "
        "with the first"
    )
    scoring: Scoring = Field("compat", description="the values that are shown")
    format: Literal["markdown", "latex", "csv", "json"] = Field(
        "markdown", description="of the table; json: rows, intervals and comparisons"
    )


@router.get(
    "/leaderboards/{board}/side-by-side",
    reply=Reply(
        "The table.", {MARKDOWN: None, LATEX: None, CSV: None, JSON: SideBySide}, etag=True
    ),
    problems=("board_not_found", "entry_not_found"),
)
async def read_side_by_side(
    boards: Boards, views: BoardViews, board: BoardsName, query: SideBySideQuery, address: str
) -> Representation:
    """Read models side by side, of a board or of both.

    A table for a paper: values with 95 % intervals, and how the others differ from the first.
    """
    asked, names = _models(query.models), boards_of(board)
    shown = [boards.get(each, query.scoring) for each in names]
    on = {entry_id: ready for ready in shown for entry_id in ready.entries}
    missing = [each for each in asked if each not in on]
    if missing:
        raise entry_not_found(" or ".join(names), str(missing[0]))
    found = []
    for other in asked[1:]:
        try:
            found.append(
                await views.comparison(names, query.scoring, other, asked[0], address=address)
            )
        except NotFound:  # it left since the board was ranked
            continue
    media_type, suffix, write = _TABLES[query.format]
    placed = [(on[each].board, on[each].entries[each]) for each in asked]
    text = (
        _as_json(query.scoring, placed, found)
        if write is None
        else write(side_by_side(placed, found))
    )
    name = f"medvidbench-{board}-side-by-side.{suffix}"
    return represent(
        text.encode(),
        content_type=content_type(media_type),
        cache_control=CACHE_CONTROL,
        headers={**READ_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _as_json(
    scoring: Scoring,
    placed: Sequence[tuple[Leaderboard, LeaderboardEntry]],
    found: Sequence[EntryComparison],
) -> str:
    models = [
        ComparedModel(
            **entry.model_dump(exclude={"board"}), board=board.board, intervals=intervals_of(entry)
        )
        for board, entry in placed
    ]
    return SideBySide(scoring=scoring, models=models, comparisons=list(found)).model_dump_json()


def _models(text: str) -> list[UUID]:
    """Return the ids that a query names, each once; raises InvalidInput."""
    named = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    found = [uuid_of(each) for each in named]
    if not 1 <= len(found) <= _MOST_MODELS or None in found:
        raise InvalidInput(
            "models: these are not one to six ids of entries.",
            fix="Boards name theirs in 'entry_id'; separate them with commas.",
            code="invalid_query",
        )
    return [each for each in found if each is not None]
