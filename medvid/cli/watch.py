"""`medvid status`, `medvid watch`, and the waiting of other commands."""

from __future__ import annotations

import json

from rich.console import Console

from medvid.api import Receipt, SubmissionStatus
from medvid.cli import progress
from medvid.cli.session import Exit, Options, Session, print_json, run


def status(options: Options, submission: str | None) -> int:
    """Print how a submission fares; return the exit status."""

    def work(session: Session) -> int:
        found_id, token = session.named(submission)
        found = session.client.status(found_id, token=token)
        if options.as_json:
            print_json(found)
        else:
            progress.show(found, Console(highlight=False), session.url)
        return outcome(found)

    return run(options, work)


def watch(options: Options, submission: str | None) -> int:
    """Print each change until nothing more happens by itself; return the exit status."""

    def work(session: Session) -> int:
        found_id, token = session.named(submission)
        last = None
        for last in session.client.watch(found_id, token=token):
            if options.as_json:
                print(json.dumps(last.model_dump(mode="json"), ensure_ascii=False), flush=True)
            else:
                _tell(last)
        return Exit.DONE if last is None else outcome(last)

    return run(options, work)


def follow(
    session: Session, submission: str, token: str | None, *, receipt: Receipt | None = None
) -> int:
    """Wait for the end of what was begun, telling people; return the exit status."""
    try:
        last = None
        for last in session.client.watch(submission, token=token):
            if not session.options.as_json:
                _tell(last)
    except KeyboardInterrupt:
        session.say(f"\nIt goes on without us. Follow it again: medvid watch {submission}")
        return Exit.INTERRUPTED
    assert last is not None  # noqa: S101 - the first status comes at once
    if session.options.as_json:
        begun = {"receipt": receipt.model_dump(mode="json")} if receipt else {}
        print_json({**begun, "status": last.model_dump(mode="json")})
    else:
        progress.show(last, Console(highlight=False), session.url)
    return outcome(last)


def outcome(status: SubmissionStatus) -> int:
    """Return the exit status that tells scripts how a submission fares."""
    return Exit.REFUSED if status.state == "failed" else Exit.DONE


def _tell(status: SubmissionStatus) -> None:
    console = Console(highlight=False, stderr=False)
    at = max((step.at for step in status.timeline), default=None)
    time = at.astimezone().strftime("%H:%M:%S ") if at else ""
    console.print(time, progress.line(status), sep="", soft_wrap=True)
