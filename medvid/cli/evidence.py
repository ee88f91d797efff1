"""`medvid export-evidence`: the archive from which `medvid verify` recomputes a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvid.api import NotFound
from medvid.benchmark.tasks import BOARDS
from medvid.cli.parameters import Board
from medvid.cli.printing import Exit
from medvid.cli.session import Session, on_server


@on_server("url")
def export_evidence(
    session: Session,
    snapshot: Annotated[int, typer.Argument(min=1, help="its number, as boards name theirs")],
    board: Annotated[
        Board | None, typer.Option(help="the board that it is of; found when left out")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", dir_okay=False, help="a file; else snapshot-N.evidence.tar"),
    ] = None,
) -> int:
    """Write the evidence of a snapshot: rows, values, statistics and the signed chain of links.

    Anyone may: 'medvid verify' recomputes the board from it.
    """
    archive = _archive(session, snapshot, board)
    path = output or Path(f"snapshot-{snapshot}.evidence.tar")
    path.write_bytes(archive)
    session.say(f"Written to {path}. Check it with: medvid verify {path}")
    return Exit.DONE


def _archive(session: Session, snapshot: int, board: Board | None) -> bytes:
    *first, last = (board,) if board else BOARDS
    for each in first:
        try:
            return session.client.evidence(each, snapshot=snapshot)
        except NotFound:  # then it is the other board's
            continue
    return session.client.evidence(last, snapshot=snapshot)
