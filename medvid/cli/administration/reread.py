"""`medvid admin reread`, a kind of job: start, list, show, apply, discard."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Final

import typer

from medvid.cli.administration.jobs import (
    MOST_JOBS,
    Job,
    Preview,
    WithoutFailed,
    awaited,
    difference_text,
    job_id,
    jobs_table,
)
from medvid.cli.administration.session import OnBoard, Why, done, entry_id, reason
from medvid.cli.parameters import NoWait, Sure
from medvid.cli.session import Session, as_administrator, consent
from medvid.judging.parts_table import ParserName

_START: Final = "reread start --parser N"


@as_administrator
def start(
    session: Session,
    parser: Annotated[ParserName, typer.Option(help="which reads the replies")],
    entry: Annotated[list[str] | None, typer.Argument(help="entries; all when left out")] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="whose replies, by its version's beginning; else the judge in force"),
    ] = None,
    board: OnBoard = None,
    why: Why = None,
    no_wait: NoWait = False,
) -> int:
    """Read a judge's kept replies with another parser, at no cost, and show what would change.

    The values are of another judge version. Nothing changes on a board until 'medvid admin reread
    apply'.
    """
    admin = session.client.admin
    ids = [entry_id(session, each, board) for each in entry or ()]
    given = reason(session, why)
    job = admin.reread(why=given, parser=parser, judge_version=judge, board=board, entries=ids)
    session.say(f"Job {job.id}: replies on {job.items} entries are being read.")
    detail = awaited(lambda: admin.difference(job.id), wait=not no_wait)
    return session.answer(detail, difference_text(detail))


@as_administrator
def list_jobs(session: Session) -> int:
    """List jobs that read replies again."""
    found = list(islice(session.client.admin.rereads(), MOST_JOBS))
    return session.answer(found, jobs_table(found, "Parser"))


@as_administrator
def show(session: Session, job: Job = None) -> int:
    """Show what such a job would change."""
    found = session.client.admin.difference(job_id(job, session.client.admin.rereads(), _START))
    return session.answer(found, difference_text(found))


@as_administrator
def apply(
    session: Session,
    job: Job = None,
    preview: Preview = None,
    without_failed: WithoutFailed = False,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Put in force what was read again, all at once."""
    admin = session.client.admin
    detail = admin.difference(job_id(job, session.client.admin.rereads(), _START))
    if not sure:
        session.say(difference_text(detail))
    consent(session, "Put these values in force?", sure=sure)
    change = admin.apply_reread(
        detail.job.id, why=reason(session, why), preview=preview or detail.job.preview,
        without_failed=without_failed,
    )  # fmt: skip
    text = (
        f"The values are in force. Set MEDVID_JUDGE_PARSER={detail.job.parser}, or new entries get "
        "values of the version before."
    )
    return session.answer(change, done(text, changed=change.changed))


@as_administrator
def discard(session: Session, job: Job = None, why: Why = None, sure: Sure = False) -> int:
    """Drop such a job; the values in force stay."""
    found = job_id(job, session.client.admin.rereads(), _START)
    consent(session, f"Drop job {found}?", sure=sure)
    change = session.client.admin.discard_reread(found, why=reason(session, why))
    return session.answer(change, done("Dropped.", changed=change.changed))
