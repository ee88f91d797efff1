"""A board for a frame on another site: a short table that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from medvid.models.boards import COLUMNS, Leaderboard
from services.gateway.boards.models import rank_text
from services.gateway.boards.urls import page_url
from services.gateway.pages.board_view import Sheet, View, marked
from services.gateway.pages.rendering import Pages, entry_url

_USUAL_ROWS: Final = 10
_MOST_ROWS: Final = 100


def framed_board(
    pages: Pages, board: Leaderboard, view: View, columns: Sequence[str], most: str
) -> str:
    """Return the page: the first rows of a view, with the metrics that were asked for.

    `most` says how many rows, as an address has it.
    """
    count = min(int(most), _MOST_ROWS) if most.isascii() and most.isdigit() else _USUAL_ROWS
    sheet = Sheet(board.entries, board.board)
    shown = sheet.shown(view)
    places = [place for place in sheet.ordered(view) if place in shown]
    rows = [board.entries[place] for place in places[: max(1, count)]]
    return pages.render(
        "framed.html",
        board=board,
        entries=rows,
        marks=marked(board, rows, columns),
        of=len(places),
        columns=[column for column in COLUMNS if column.key in columns],
        rank_text=rank_text,
        entry_url=entry_url,
        page_url=page_url(board.board, board.scoring),
    )
