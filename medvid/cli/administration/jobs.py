"""What the commands of every kind of job share: which is meant, waiting, its table and text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from medvid.cli.failures import CommandFailed
from medvid.cli.printing import place, plain_table
from medvid.models.jobs import DifferenceRow, RescoreDetail, RescoreJobView

MOST_JOBS: Final = 100
"""Shown by 'list'."""
_LOOK_SECONDS: Final = 1.0
_AT_WORK: Final = ("scoring", "reading", "judging", "scored")

Job = Annotated[str | None, typer.Argument(help="id of the job; the newest when left out")]
Preview = Annotated[int | None, typer.Option(help="number of the difference you looked at")]
WithoutFailed = Annotated[
    bool, typer.Option("--without-failed", help="although some entries failed")
]


def job_id(job: str | None, jobs: Iterable[RescoreJobView], start: str) -> str:
    """Return the job that is meant: the newest of these where none is named.

    `start` is the command that starts one. Raises CommandFailed where there is none.
    """
    if job is not None:
        return job
    for newest in jobs:
        return str(newest.id)
    raise CommandFailed("there is no such job.", fix=f"Start one with 'medvid admin {start}'.")


def awaited(read: Callable[[], RescoreDetail], *, wait: bool) -> RescoreDetail:
    """Return a job, with `wait` once it is ready or has failed."""
    detail = read()
    while wait and detail.job.state in _AT_WORK:
        time.sleep(_LOOK_SECONDS)
        detail = read()
    return detail


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
