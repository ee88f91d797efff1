"""`medvid submissions` and `medvid withdraw`."""

from __future__ import annotations

from typing import Annotated

import typer

from medvid.cli import known_submissions
from medvid.cli.parameters import Submission, Sure
from medvid.cli.session import Session, consent, with_token


@with_token
def withdraw(
    session: Session,
    submission: Submission = None,
    note: Annotated[str | None, typer.Option(help="why; administrators must say it")] = None,
    sure: Sure = False,
) -> int:
    """Take a submission back: it leaves its board, and its name is free again."""
    found_id, token = session.named(submission)
    consent(session, f"Withdraw {found_id}? It leaves its board for good.", sure=sure)
    session.client.withdraw(found_id, token=token, note=note)
    found = session.client.status(found_id, token=token) if session.as_json else None
    return session.answer(found, f"Withdrawn: {found_id}.")


@with_token
def submissions(
    session: Session,
    on_server: Annotated[
        bool, typer.Option("--all", help="ask the server for those sent with the API key")
    ] = False,
) -> int:
    """List the submissions that were made from here, or with an API key."""
    return _on_server(session) if on_server else _from_here(session)


def _from_here(session: Session) -> int:
    known = known_submissions.submissions(session.url)
    shown = ("id", "model_name", "file", "submitted_at")
    found = [{name: getattr(each, name) for name in shown} for each in known]
    lines = [f"{each.id}  {each.submitted_at}  {each.model_name}" for each in known]
    return session.answer_lines(
        found, lines, none=f"No submission to {session.url} is remembered here."
    )


def _on_server(session: Session) -> int:
    found = list(session.client.submissions(token=session.token))
    lines = [
        f"{each.id}  {each.created_at.isoformat(timespec='seconds')}  {each.state:<9}  "
        f"{each.model_name} v{each.version}"
        + (" (evaluate-only)" if each.mode == "evaluate_only" else "")
        for each in found
    ]
    return session.answer_lines(found, lines)
