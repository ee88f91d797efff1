"""`medvid admin rescoring`, a kind of job: start, list, show, apply, discard."""

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
from medvid.cli.administration.session import (
    OnBoard,
    Why,
    done,
    entry_id,
    reason,
    version_of,
)
from medvid.cli.parameters import NoWait, Sure
from medvid.cli.session import Session, as_administrator, consent

_START: Final = "rescoring start"


@as_administrator
def start(
    session: Session,
    entry: Annotated[list[str] | None, typer.Argument(help="entries; all when left out")] = None,
    ground_truth: Annotated[
        str | None, typer.Option(help="version; the current one when left out")
    ] = None,
    board: OnBoard = None,
    why: Why = None,
    no_wait: NoWait = False,
) -> int:
    """Score entries again, beside the scores in force, and show what would change.

    Under another ground truth, or after an update of the metric code. Nothing changes on a board
    until 'medvid admin rescoring apply'.
    """
    admin = session.client.admin
    ids = [entry_id(session, each, board) for each in entry or ()]
    given = reason(session, why)
    truth = version_of(session, ground_truth) if ground_truth else None
    job = admin.rescore(why=given, ground_truth=truth, board=board, entries=ids)
    session.say(f"Job {job.id}: {job.items} entries are being scored.")
    detail = awaited(lambda: admin.difference(job.id), wait=not no_wait)
    return session.answer(detail, difference_text(detail))


@as_administrator
def list_jobs(session: Session) -> int:
    """List re-score jobs."""
    found = list(islice(session.client.admin.rescores(), MOST_JOBS))
    return session.answer(found, jobs_table(found, "Ground truth"))


@as_administrator
def show(session: Session, job: Job = None) -> int:
    """Show what a re-score job would change."""
    found = session.client.admin.difference(job_id(job, session.client.admin.rescores(), _START))
    return session.answer(found, difference_text(found))


@as_administrator
def apply(
    session: Session,
    job: Job = None,
    preview: Preview = None,
    without_failed: WithoutFailed = False,
    make_current: Annotated[
        bool, typer.Option("--make-current", help="check uploads against its ground truth")
    ] = False,
    judge_again: Annotated[
        bool,
        typer.Option(
            "--judge-again",
            help="judge where judged scores are of another ground truth or older code",
        ),
    ] = False,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Put a re-score job's scores in force, all at once."""
    admin = session.client.admin
    detail = admin.difference(job_id(job, session.client.admin.rescores(), _START))
    if not sure:
        session.say(difference_text(detail))
    consent(session, "Put these scores in force?", sure=sure)
    change = admin.apply_rescore(
        detail.job.id, why=reason(session, why), preview=preview or detail.job.preview,
        without_failed=without_failed, make_current=make_current, judge_again=judge_again,
    )  # fmt: skip
    return session.answer(change, done("The scores are in force.", changed=change.changed))


@as_administrator
def discard(session: Session, job: Job = None, why: Why = None, sure: Sure = False) -> int:
    """Drop a re-score job; the scores in force stay."""
    found = job_id(job, session.client.admin.rescores(), _START)
    consent(session, f"Drop job {found}?", sure=sure)
    change = session.client.admin.discard_rescore(found, why=reason(session, why))
    return session.answer(change, done("Dropped.", changed=change.changed))
