"""The addresses of boards, whose usual scoring is left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import quote

from medvid.benchmark.tasks import BOARDS, Board, Scoring
from medvid.models.boards import Leaderboard
from services.gateway.web.urls import url

BoardOrBoth = Literal["community", "official", "both"]
BOTH: Final = "both"
"""Stands for both boards where models of either are compared."""


def boards_of(name: BoardOrBoth) -> tuple[Board, ...]:
    """Return the boards that a name stands for."""
    return BOARDS if name == BOTH else (name,)


def board_url(board: Board, scoring: Scoring) -> str:
    """Return where a board's JSON is."""
    return url("api_board", board=board, query=scoring_query(scoring))


def csv_url(board: Board, scoring: Scoring) -> str:
    """Return where a board's CSV is."""
    return url("api_board_csv", board=board, query=scoring_query(scoring))


def page_url(board: Board, scoring: Scoring) -> str:
    """Return where a board's page is."""
    return url(board, query=scoring_query(scoring))


def state_url(board: Leaderboard) -> str:
    """Return where the page of this very state of a board stays."""
    if board.snapshot is None:
        return page_url(board.board, board.scoring)
    return url("snapshot", board=board.board, number=board.snapshot)


def compare_url(board: str, scoring: Scoring, models: Iterable[str] = ()) -> str:
    """Return where models of a board, or of both, are compared, as such addresses are shared."""
    address = url("compare", query={"board": board, **scoring_query(scoring)})
    # Also what came from an address: this goes into headers. Commas between models stay commas.
    joined = ",".join(quote(model, safe="", errors="replace") for model in models)
    return f"{address}&models={joined}" if joined else address


def scoring_query(scoring: Scoring) -> dict[str, object]:
    """Return the query of a scoring, which the usual one needs not."""
    return {} if scoring == "compat" else {"scoring": scoring}
