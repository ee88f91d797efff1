"""`medvid withdraw` and `medvid submissions`."""

from __future__ import annotations

import sys

from rich.prompt import Confirm

from medvid.cli import memory
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run


def withdraw(options: Options, submission: str | None, *, note: str | None, sure: bool) -> int:
    """Take a submission back; return the exit status."""

    def work(session: Session) -> int:
        found_id, token = session.named(submission)
        question = f"Withdraw {found_id}? It leaves its board for good"
        if not sure and sys.stdin.isatty() and not Confirm.ask(question, console=session.notices):
            raise Unfit("not withdrawn.")
        session.client.withdraw(found_id, token=token, note=note)
        if options.as_json:
            print_json(session.client.status(found_id, token=token))
        else:
            print(f"Withdrawn: {found_id}.")
        return Exit.DONE

    return run(options, work)


def submissions(options: Options, *, on_server: bool) -> int:
    """List what was submitted from here, or with the key; return the exit status."""
    return run(options, _on_server if on_server else _from_here)


def _from_here(session: Session) -> int:
    known = memory.submissions(session.url)
    if session.options.as_json:
        print_json([
            {"id": each.id, "model_name": each.model_name, "file": each.file,
             "submitted_at": each.submitted_at}
            for each in known
        ])  # fmt: skip
        return Exit.DONE
    for each in known:
        print(f"{each.id}  {each.submitted_at}  {each.model_name}")
    if not known:
        session.say(f"No submission to {session.url} is remembered here.")
    return Exit.DONE


def _on_server(session: Session) -> int:
    found = list(session.client.submissions(token=session.options.token))
    if session.options.as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return Exit.DONE
    for each in found:
        at = each.created_at.isoformat(timespec="seconds")
        mode = " (evaluated only)" if each.mode == "evaluate_only" else ""
        print(f"{each.id}  {at}  {each.state:<9}  {each.model_name} v{each.version}{mode}")
    if not found:
        session.say("There are none.")
    return Exit.DONE
