"""`medvid export-evidence`: the archive from which `medvid verify` recomputes a board."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.api import NotFound
from medvid.benchmark.tasks import BOARDS, Board
from medvid.cli.administration.session import Why, reason
from medvid.cli.printing import Exit
from medvid.cli.session import Session, on_server

_OWNER_ALONE: Final = 0o600


@on_server("url", "key")
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
    sealed: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="write the sealed part to this file, too: replicates, records and verdicts, for "
            "an auditor who may hold the ground truth; administrators only",
        ),
    ] = None,
    why: Why = None,
) -> int:
    """Write the evidence of a snapshot: rows, values, statistics and the signed chain of links.

    Anyone may: 'medvid verify' recomputes the board from it.
    """
    given = None if sealed is None else reason(session, why)
    path = output or Path(f"snapshot-{snapshot}.evidence.tar")
    path.write_bytes(_archive(session, snapshot, board))
    session.say(f"Written to {path}. Check it with: medvid verify {path}")
    if sealed is not None and given is not None:
        _write_whole(sealed, session.client.admin.sealed_evidence(snapshot, why=given))
        session.say(f"Written to {sealed}. Keep it where the ground truth is.")
    return Exit.DONE


def _archive(session: Session, snapshot: int, board: Board | None) -> bytes:
    *first, last = (board,) if board else BOARDS
    for each in first:
        try:
            return session.client.evidence(each, snapshot=snapshot)
        except NotFound:  # then it is the other board's
            continue
    return session.client.evidence(last, snapshot=snapshot)


def _write_whole(path: Path, parts: Iterator[bytes]) -> None:
    """Write a file that only its owner can read, under its name once it is whole."""
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ALONE)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
