"""`medvid status`, `medvid watch`, and the waiting of other commands."""

from __future__ import annotations

import json
from time import monotonic, sleep
from typing import Final

from rich.console import Console

from medvid.api import Receipt, SubmissionStatus
from medvid.cli import status_text
from medvid.cli.parameters import Submission
from medvid.cli.printing import Exit, print_json
from medvid.cli.session import Session, with_token

_RANKING_SECONDS: Final = 10.0
"""How long a board may take to be ranked by new values before its old ranks are shown."""
_LOOK_SECONDS: Final = 0.3


@with_token
def status(session: Session, submission: Submission = None) -> int:
    """Show the state of a submission; exit status 1 if it failed."""
    found_id, token = session.named(submission)
    found = session.client.status(found_id, token=token)
    session.answer(found, lambda: _show(found, session))
    return _outcome(found)


@with_token
def watch(session: Session, submission: Submission = None) -> int:
    """Follow a submission until nothing more happens by itself; --json gives a line a change."""
    found_id, token = session.named(submission)
    last = None
    for last in session.client.watch(found_id, token=token):
        if session.as_json:
            print(json.dumps(last.model_dump(mode="json"), ensure_ascii=False), flush=True)
        else:
            _print_change(last)
    return Exit.DONE if last is None else _outcome(last)


def follow(
    session: Session, submission: str, token: str | None, *, receipt: Receipt | None = None
) -> int:
    """Show changes until nothing more happens by itself; return the exit status."""
    try:
        last = None
        for last in session.client.watch(submission, token=token):
            if not session.as_json:
                _print_change(last)
    except KeyboardInterrupt:
        session.say(f"\nThe server continues. Follow it again: medvid watch {submission}")
        return Exit.INTERRUPTED
    assert last is not None  # noqa: S101 - the first status comes at once
    last = _ranked_anew(session, last, token)
    if session.as_json:
        begun = {"receipt": receipt} if receipt else {}
        print_json({**begun, "status": last})
    else:
        _show(last, session)
    return _outcome(last)


def _ranked_anew(session: Session, status: SubmissionStatus, token: str | None) -> SubmissionStatus:
    """Return the status once its board ranks by all its values, or when that takes long."""
    deadline = monotonic() + _RANKING_SECONDS
    while _is_behind(status) and monotonic() < deadline:
        sleep(_LOOK_SECONDS)
        status = session.client.status(status.id, token=token)
    return status


def _is_behind(status: SubmissionStatus) -> bool:
    """Return whether its board was ranked before values came that are shown already."""
    standing = status.standing
    if standing is None or not any(place.rank for place in standing.places):
        return False
    return any(score.compat is not None and not score.ranks for score in standing.scores)


def _outcome(status: SubmissionStatus) -> int:
    """Return the exit status of a command about a submission in this state."""
    return Exit.REFUSED if status.state == "failed" else Exit.DONE


def _show(status: SubmissionStatus, session: Session) -> None:
    status_text.show(status, Console(highlight=False), session.url)


def _print_change(status: SubmissionStatus) -> None:
    console = Console(highlight=False, stderr=False)
    at = max((step.at for step in status.timeline), default=None)
    time = at.astimezone().strftime("%H:%M:%S ") if at else ""
    console.print(time, status_text.line(status), sep="", soft_wrap=True)
