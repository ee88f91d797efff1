"""How paths name boards, snapshots and entries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from medvid.benchmark.tasks import BOARDS, Board
from services.gateway.boards.urls import BOTH, BoardOrBoth
from services.gateway.web.router import PathText
from shared.runtime.errors import NotFound


def known_board(name: str) -> Board:
    """Return a board's name; raises NotFound for an unknown one."""
    for board in BOARDS:
        if board == name:
            return board
    raise NotFound(
        f"there is no board {name!r}.",
        fix=f"Boards are {' and '.join(BOARDS)}.",
        code="board_not_found",
    )


def known_boards(name: str) -> BoardOrBoth:
    """Return the same, or `both`; raises NotFound."""
    return BOTH if name == BOTH else known_board(name)


def read_snapshot_id(text: str) -> int:
    """Return a snapshot's number; raises NotFound where the text is not a number."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise NotFound(
        f"there is no snapshot {text[:40]!r}.",
        fix="Boards name theirs in 'permalink'.",
        code="snapshot_not_found",
    )


BoardName = Annotated[Board, Field(description="which board"), PathText(known_board)]
BoardsName = Annotated[
    BoardOrBoth, Field(description="which board, or both"), PathText(known_boards)
]
SnapshotId = Annotated[
    int,
    Field(ge=1, lt=10**18, description="the snapshot's number, as a board names it"),
    PathText(read_snapshot_id),
]
EntryText = Annotated[
    str,
    Field(description="the entry's id, as on its board", json_schema_extra={"format": "uuid"}),
    PathText(str),
]
"""An entry's id as written in the path; the error repeats one that is not valid."""
