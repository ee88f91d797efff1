"""`medvid admin rescoring`, a kind of job: start, list, show, apply, discard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from medvid.cli.administration.session import (
    OnBoard,
    Why,
    done,
    entry_id,
    reason,
    version_of,
)
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import NoWait, Sure
from medvid.cli.printing import place, plain_table
from medvid.cli.session import Session, as_administrator, consent
from medvid.models.administration import DifferenceRow, RescoreDetail, RescoreJobView

_LOOK_SECONDS: Final = 1.0
_MOST_JOBS: Final = 100
Job = Annotated[str | None, typer.Argument(help="id of the re-score job; the newest when left out")]


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
    detail = admin.difference(job.id)
    while not no_wait and detail.job.state in ("scoring", "scored"):
        time.sleep(_LOOK_SECONDS)
        detail = admin.difference(job.id)
    return session.answer(detail, difference_text(detail))


@as_administrator
def list_jobs(session: Session) -> int:
    """List re-score jobs."""
    found = list(islice(session.client.admin.rescores(), _MOST_JOBS))
    return session.answer(found, jobs_table(found, "Ground truth"))


def jobs_table(jobs: Sequence[RescoreJobView], by: str) -> Table:
    """Return jobs as a table, with what they compute by: ground truth, parser or judge."""
    table = plain_table("Id", "State", by, "Entries", "Since", "Why")
    for job in jobs:
        count = f"{job.scored}/{job.items}" + (f", {job.failed} failed" if job.failed else "")
        since = f"{job.created_at:%Y-%m-%dT%H:%M}"
        what = job.parser or job.ground_truth_version[:12]
        if job.kind == "succession" and job.judge_version is not None:
            what = job.judge_version[:12]
        table.add_row(str(job.id), job.state, what, count, since, Text(job.why))
    return table


@as_administrator
def show(session: Session, job: Job = None) -> int:
    """Show what a re-score job would change."""
    found = session.client.admin.difference(_job(session, job))
    return session.answer(found, difference_text(found))


@as_administrator
def apply(
    session: Session,
    job: Job = None,
    preview: Annotated[
        int | None, typer.Option(help="number of the difference you looked at")
    ] = None,
    without_failed: Annotated[
        bool, typer.Option("--without-failed", help="although some entries failed")
    ] = False,
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
    detail = admin.difference(_job(session, job))
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
    found = _job(session, job)
    consent(session, f"Drop job {found}?", sure=sure)
    change = session.client.admin.discard_rescore(found, why=reason(session, why))
    return session.answer(change, done("Dropped.", changed=change.changed))


def _job(session: Session, job: str | None) -> str:
    """Return the job that is meant: the newest where none is named."""
    if job is not None:
        return job
    for newest in session.client.admin.rescores():
        return str(newest.id)
    raise CommandFailed(
        "there is no re-score job.", fix="Start one with 'medvid admin rescoring start'."
    )


def difference_text(detail: RescoreDetail) -> str:
    """Return what a job would change, line by line, and how to apply it."""
    job = detail.job
    lines = [f"Job {job.id}: {job.state}, {job.scored} of {job.items} scored."]
    lines += [f"  failed: {each.model_name}: {each.reason}" for each in detail.failures]
    for board, scorings in (detail.boards or {}).items():
        for scoring, rows in scorings.items():
            changed = [row for row in rows if row.values or row.rank.before != row.rank.after]
            lines.append(f"{board}, {scoring}: {len(changed)} of {len(rows)} entries change.")
            lines += map(_row, changed)
    if detail.left_out:
        lines.append(f"{len(detail.left_out)} entries scored otherwise are not part of it.")
    if detail.judged_otherwise:
        lines.append(
            f"{len(detail.judged_otherwise)} keep judged scores of another ground truth or "
            "older code (--judge-again asks for new ones)."
        )
    if job.state == "ready":
        command = "rescoring" if job.kind == "rescore" else job.kind
        lines.append(f"Apply it: medvid admin {command} apply {job.id} --preview {job.preview}")
    return "\n".join(lines)


def _row(row: DifferenceRow) -> str:
    before, after = place(row.rank.before), place(row.rank.after)
    move = before if before == after else f"{before} -> {after}"
    values = ", ".join(
        f"{key} {_number(value.before)} -> {_number(value.after)}"
        for key, value in row.values.items()
    )
    return f"  {move:>9}  {row.model_name}" + (f"  {values}" if values else "")


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
