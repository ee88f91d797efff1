"""`medvid admin` about messages that could not be handled."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Literal

import typer

from medvid.cli.administration.session import Why, reason
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import Sure
from medvid.cli.session import Session, as_administrator, consent
from medvid.models.administration import LettersAnswer

Ids = Annotated[list[int] | None, typer.Argument(help="numbers of dead letters")]
Every = Annotated[bool, typer.Option("--all", help="all open ones (that match)")]
Queue = Annotated[str | None, typer.Option(help="with --all: of this queue")]
Code = Annotated[str | None, typer.Option("--reason", help="with --all: with this reason's code")]


@as_administrator
def dead_letters(
    session: Session,
    state: Annotated[Literal["open", "replayed", "discarded"], typer.Option()] = "open",
    queue: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
) -> int:
    """List messages that could not be handled, with their reason."""
    found = list(islice(session.client.admin.dead_letters(state=state, queue=queue), limit))
    lines = [
        f"{each.id}  {each.died_at:%Y-%m-%dT%H:%M:%S}  {each.queue}  {each.type or '?'}  "
        f"{each.reason}: {each.detail}"
        for each in found
    ]
    return session.answer_lines(found, lines)


@as_administrator
def replay(
    session: Session,
    ids: Ids = None,
    every: Every = False,
    queue: Queue = None,
    reason: Code = None,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Send dead letters again; what they had stopped continues."""
    given = _agreed(session, "Replay", ids, why, every=every, sure=sure or not every)
    outcomes = session.client.admin.replay_letters(
        None if every else ids, why=given, queue=queue, reason=reason
    )
    return session.answer(outcomes, _outcomes(outcomes))


@as_administrator
def discard_letters(
    session: Session,
    ids: Ids = None,
    every: Every = False,
    queue: Queue = None,
    reason: Code = None,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Close dead letters without sending them."""
    given = _agreed(session, "Discard", ids, why, every=every, sure=sure)
    outcomes = session.client.admin.discard_letters(
        None if every else ids, why=given, queue=queue, reason=reason
    )
    return session.answer(outcomes, _outcomes(outcomes))


def _agreed(
    session: Session, action: str, ids: Sequence[int] | None, why: str | None, *,
    every: bool, sure: bool,
) -> str:  # fmt: skip
    """Return the reason, once it is clear which letters are meant and people agree."""
    if bool(ids) == every:
        raise CommandFailed("which letters?", fix="Give their numbers, or --all.")
    meant = "all open dead letters" if every else f"{len(ids or ())} dead letters"
    consent(session, f"{action} {meant}?", sure=sure)
    return reason(session, why)


def _outcomes(found: LettersAnswer) -> str:
    lines = [
        f"{each.id}: {each.problem or ('done' if each.changed else 'was closed')}"
        for each in found.letters
    ]
    return "\n".join(lines) or "There are none."
