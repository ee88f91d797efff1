"""`medvid admin` about re-scoring: jobs, their difference, and putting them in force."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from medvid.cli.administration import session as session_of
from medvid.cli.administration.session import Facts
from medvid.cli.administration.truths import version_of
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run
from medvid.cli.terminal import place, print_table

_LOOK_SECONDS: Final = 1.0


def rescore(
    options: Options, ground_truth: str | None, board: str | None, named: Sequence[str],
    why: str | None, *, wait: bool,
) -> int:  # fmt: skip
    """Start a re-score job, and show its difference once it is there; return the exit status."""

    def work(session: Session) -> Facts:
        ids = [session_of.entry_id(session, each, board) for each in named] or None
        given = session_of.reason(session, why)
        truth = version_of(session, ground_truth) if ground_truth else None
        job = session_of.do(
            session, "/rescores", given, ground_truth=truth, board=board, entries=ids
        )
        session.say(f"Job {job['id']}: {job['items']} entries are being scored.")
        path = f"/rescores/{job['id']}"
        detail = session_of.ask(session, path)
        while wait and detail["job"]["state"] in ("scoring", "scored"):
            time.sleep(_LOOK_SECONDS)
            detail = session_of.ask(session, path)
        return detail

    return session_of.command(options, work, _difference)


def difference(options: Options, job: str | None) -> int:
    """Show a job's difference; return the exit status."""
    return session_of.command(
        options,
        lambda session: session_of.ask(session, f"/rescores/{_job(session, job)}"),
        _difference,
    )


def rescores(options: Options) -> int:
    """List re-score jobs; return the exit status."""

    def work(session: Session) -> int:
        found = list(session_of.pages(session, "/rescores", "jobs", 100))
        if options.as_json:
            print_json(found)
            return Exit.DONE
        table = Table("Id", "State", "Ground truth", "Entries", "Since", "Why", box=None,
                      pad_edge=False)  # fmt: skip
        for job in found:
            count = f"{job['scored']}/{job['items']}" + (
                f", {job['failed']} failed" if job["failed"] else ""
            )
            table.add_row(job["id"], job["state"], job["ground_truth_version"][:12], count,
                          job["created_at"][:16], Text(job["why"]))  # fmt: skip
        print_table(table)
        return Exit.DONE

    return run(options, work)


def apply(
    options: Options, job: str | None, preview: int | None, why: str | None, *,
    sure: bool, without_failed: bool, make_current: bool, judge_again: bool,
) -> int:  # fmt: skip
    """Put a job's scores in force; return the exit status."""

    def work(session: Session) -> Facts:
        found = _job(session, job)
        detail = session_of.ask(session, f"/rescores/{found}")
        number = preview or detail["job"]["preview"]
        if not sure:
            session.say(_difference(detail))
        session_of.consent(session, "Put these scores in force?", sure=sure)
        return session_of.do(
            session, f"/rescores/{found}/apply", session_of.reason(session, why), preview=number,
            without_failed=without_failed, make_current=make_current, judge_again=judge_again,
        )  # fmt: skip

    return session_of.command(options, work, session_of.changed("The scores are in force."))


def discard(options: Options, job: str | None, why: str | None, *, sure: bool) -> int:
    """Drop a job; return the exit status."""

    def work(session: Session) -> Facts:
        found = _job(session, job)
        session_of.consent(session, f"Drop job {found}?", sure=sure)
        return session_of.do(session, f"/rescores/{found}/discard", session_of.reason(session, why))

    return session_of.command(options, work, session_of.changed("Dropped."))


def _job(session: Session, job: str | None) -> str:
    """Return the job that is meant: the newest where none is named."""
    if job is not None:
        return job
    for newest in session_of.pages(session, "/rescores", "jobs", 1):
        return str(newest["id"])
    raise Unfit("there is no re-score job.", fix="Start one with 'medvid admin rescore'.")


def _difference(detail: Facts) -> str:
    job = detail["job"]
    lines = [f"Job {job['id']}: {job['state']}, {job['scored']} of {job['items']} scored."]
    lines += [f"  failed: {each['model_name']}: {each['reason']}" for each in detail["failures"]]
    for board, scorings in (detail["boards"] or {}).items():
        for scoring, rows in scorings.items():
            changed = [row for row in rows if _moves(row)]
            lines.append(f"{board}, {scoring}: {len(changed)} of {len(rows)} entries change.")
            lines += [_row(row) for row in changed]
    if detail["left_out"]:
        lines.append(f"{len(detail['left_out'])} entries scored otherwise are not part of it.")
    if detail["judged_otherwise"]:
        lines.append(
            f"{len(detail['judged_otherwise'])} keep judged scores of another ground truth or "
            "older code (--judge-again asks for new ones)."
        )
    if job["state"] == "ready":
        lines.append(f"Apply it: medvid admin apply {job['id']} --preview {job['preview']}")
    return "\n".join(lines)


def _moves(row: Facts) -> bool:
    return bool(row["values"]) or row["rank"]["before"] != row["rank"]["after"]


def _row(row: Facts) -> str:
    rank = row["rank"]
    before, after = place(rank["before"]), place(rank["after"])
    move = before if before == after else f"{before} -> {after}"
    values = ", ".join(
        f"{key} {_number(value['before'])} -> {_number(value['after'])}"
        for key, value in row["values"].items()
    )
    return f"  {move:>9}  {row['model_name']}" + (f"  {values}" if values else "")


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
