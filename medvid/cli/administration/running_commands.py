"""Judging, dead letters and the audit log: the commands. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from medvid.cli.administration.parameters import (
    Code,
    Every,
    Ids,
    Key,
    LetterState,
    Queue,
    Sure,
    Why,
    options,
)
from medvid.cli.offline import Json
from medvid.cli.parameters import Url


def judging(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """Tell whether judging is paused."""
    from medvid.cli.administration.running import judging as body

    raise typer.Exit(body(options(url, key, as_json)))


def pause(
    why: Why = None, sure: Sure = False, as_json: Json = False, url: Url = None, key: Key = None
) -> None:
    """Pause all judging, also of runs to come."""
    from medvid.cli.administration.running import steer

    raise typer.Exit(steer(options(url, key, as_json), "pause", why, sure=sure))


def resume(why: Why = None, as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """Resume judging."""
    from medvid.cli.administration.running import steer

    raise typer.Exit(steer(options(url, key, as_json), "resume", why, sure=True))


def dead_letters(
    state: Annotated[LetterState, typer.Option()] = LetterState.OPEN,
    queue: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """List messages that could not be handled, with their reason."""
    from medvid.cli.administration.running import dead_letters as body

    raise typer.Exit(body(options(url, key, as_json), state, queue, limit))


def replay(
    ids: Ids = None,
    every: Every = False,
    queue: Queue = None,
    reason: Code = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Send dead letters anew; what their death had settled goes on."""
    from medvid.cli.administration.running import letters

    raise typer.Exit(letters(options(url, key, as_json), "replay", ids or [], why, every=every,
                             queue=queue, reason=reason, sure=sure))  # fmt: skip


def discard_letters(
    ids: Ids = None,
    every: Every = False,
    queue: Queue = None,
    reason: Code = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Close dead letters without sending them."""
    from medvid.cli.administration.running import letters

    raise typer.Exit(letters(options(url, key, as_json), "discard", ids or [], why, every=every,
                             queue=queue, reason=reason, sure=sure))  # fmt: skip


def audit(
    who: Annotated[str | None, typer.Option()] = None,
    action: Annotated[str | None, typer.Option()] = None,
    subject_kind: Annotated[str | None, typer.Option("--kind")] = None,
    subject: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str | None, typer.Option(help="a moment, as in 2026-04-15T00:00:00Z")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Print what administrators did, newest first."""
    from medvid.cli.administration.running import audit as body

    raise typer.Exit(body(options(url, key, as_json), limit, who=who, action=action,
                          subject_kind=subject_kind, subject=subject, since=since))  # fmt: skip


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "judging": judging, "pause": pause, "resume": resume, "dead-letters": dead_letters,
    "replay": replay, "discard-letters": discard_letters, "audit": audit,
}  # fmt: skip
