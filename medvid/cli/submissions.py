"""`medvid submissions` and `medvid withdraw`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.prompt import Confirm

from medvid.cli import known_submissions
from medvid.cli.parameters import Submission, Sure
from medvid.cli.printing import Exit, print_json
from medvid.cli.session import Session, Unfit, with_token


@with_token
def withdraw(
    session: Session,
    submission: Submission = None,
    note: Annotated[str | None, typer.Option(help="why; administrators must say it")] = None,
    sure: Sure = False,
) -> int:
    """Take a submission back: it leaves its board, and its name is free again."""
    found_id, token = session.named(submission)
    question = f"Withdraw {found_id}? It leaves its board for good"
    if not sure and sys.stdin.isatty() and not Confirm.ask(question, console=session.notices):
        raise Unfit("not withdrawn.")
    session.client.withdraw(found_id, token=token, note=note)
    if session.as_json:
        print_json(session.client.status(found_id, token=token))
    else:
        print(f"Withdrawn: {found_id}.")
    return Exit.DONE


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
    if session.as_json:
        print_json([{name: getattr(each, name) for name in shown} for each in known])
        return Exit.DONE
    for each in known:
        print(f"{each.id}  {each.submitted_at}  {each.model_name}")
    if not known:
        session.say(f"No submission to {session.url} is remembered here.")
    return Exit.DONE


def _on_server(session: Session) -> int:
    found = list(session.client.submissions(token=session.token))
    if session.as_json:
        print_json(found)
        return Exit.DONE
    for each in found:
        at = each.created_at.isoformat(timespec="seconds")
        mode = " (evaluated only)" if each.mode == "evaluate_only" else ""
        print(f"{each.id}  {at}  {each.state:<9}  {each.model_name} v{each.version}{mode}")
    if not found:
        session.say("There are none.")
    return Exit.DONE
