"""`medvid admin succession`, a kind of job: start, list, show, apply, discard."""

from __future__ import annotations

from collections.abc import Iterator
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
from medvid.models.jobs import (
    BridgeMetric,
    RescoreDetail,
    StayingEntry,
    SuccessionEstimate,
    UnrankedEntry,
)

_START: Final = "succession start"


@as_administrator
def start(
    session: Session,
    entry: Annotated[list[str] | None, typer.Argument(help="entries; all when left out")] = None,
    board: OnBoard = None,
    why: Why = None,
    no_wait: NoWait = False,
    sure: Sure = False,
) -> int:
    """Have entries judged by the judge that runs now, after showing what that costs.

    Beside the values in force: nothing changes on a board until 'medvid admin succession apply'.
    Verdicts that are known are not paid for again. 'medvid admin pause' pauses it with all judging.
    """
    admin = session.client.admin
    ids = [entry_id(session, each, board) for each in entry or ()]
    cost = admin.succession_estimate(board=board, entries=ids)
    if not sure:
        session.say(_cost(cost))
    consent(session, f"Judge {cost.entries} entries for about {cost.usd:.2f} USD?", sure=sure)
    given = reason(session, why)
    job = admin.succession(why=given, calls=cost.calls, board=board, entries=ids)
    session.say(f"Job {job.id}: {job.items} entries are being judged by {job.judge_version}.")
    detail = awaited(lambda: admin.read_succession(job.id), wait=not no_wait)
    return session.answer(detail, _text(detail))


@as_administrator
def list_jobs(session: Session) -> int:
    """List jobs of succession."""
    found = list(islice(session.client.admin.successions(), MOST_JOBS))
    return session.answer(found, jobs_table(found, "Judge"))


@as_administrator
def show(session: Session, job: Job = None) -> int:
    """Show how far a job is, the bridge between both judges, and what would change."""
    admin = session.client.admin
    found = admin.read_succession(job_id(job, admin.successions(), _START))
    return session.answer(found, _text(found))


@as_administrator
def apply(
    session: Session,
    job: Job = None,
    preview: Preview = None,
    without_failed: WithoutFailed = False,
    leave_unranked: Annotated[
        bool,
        typer.Option(
            "--leave-unranked",
            help="although entries that rank today count as missing from then on",
        ),
    ] = False,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Put the values of the new judge in force, all at once; the boards go over to it."""
    admin = session.client.admin
    detail = admin.read_succession(job_id(job, admin.successions(), _START))
    if not sure:
        session.say(_text(detail))
    consent(session, "Put these values in force?", sure=sure)
    change = admin.apply_succession(
        detail.job.id, why=reason(session, why), preview=preview or detail.job.preview,
        without_failed=without_failed, leave_unranked=leave_unranked,
    )  # fmt: skip
    text = f"The values are in force; the boards rank by judge {detail.job.judge_version}."
    return session.answer(change, done(text, changed=change.changed))


@as_administrator
def discard(session: Session, job: Job = None, why: Why = None, sure: Sure = False) -> int:
    """Drop such a job; the values in force stay, and what was judged is not paid for again."""
    found = job_id(job, session.client.admin.successions(), _START)
    consent(session, f"Drop job {found}?", sure=sure)
    change = session.client.admin.discard_succession(found, why=reason(session, why))
    return session.answer(change, done("Dropped.", changed=change.changed))


def _cost(cost: SuccessionEstimate) -> str:
    stub = " (the stand-in, for demonstration only)" if cost.stub else ""
    lines = [
        f"Judge {cost.judge_version}{stub}: {cost.entries} entries, {cost.pairs:,} distinct pairs, "
        f"{cost.cached:,} verdicts known, {cost.calls:,} calls, about {cost.usd:.2f} USD."
    ]
    if cost.unknown:
        lines.append(f"{cost.unknown} of them were never judged here; their calls come on top.")
    return "\n".join([*lines, *_stays(cost.stays), *_unranked(cost.unranked)])


def _text(detail: RescoreDetail) -> str:
    lines = [f"{count} runs {state}." for state, count in detail.runs.items()]
    if detail.bridge is not None:
        lines += [_metric(key, each) for key, each in detail.bridge.metrics.items()]
    lines += [*_stays(detail.stays), *_unranked(detail.unranked)]
    return "\n".join([*lines, difference_text(detail)])


def _metric(key: str, found: BridgeMetric) -> str:
    interval = "" if found.low is None else f" ({found.low:+.4f} to {found.high:+.4f}, 95 %)"
    return (
        f"{key}: new less old {found.difference:+.4f}{interval} over {found.entries} entries; "
        f"correlation of entries {_number(found.pearson)} (ranks {_number(found.spearman)}), of "
        f"{found.pairs:,} verdicts {_number(found.pairs_pearson)} "
        f"(ranks {_number(found.pairs_spearman)})."
    )


def _stays(stays: list[StayingEntry]) -> Iterator[str]:
    for each in stays:
        yield f"  stays marked: {each.model_name} ({each.board}): {each.reason}."


def _unranked(unranked: list[UnrankedEntry]) -> Iterator[str]:
    for each in unranked:
        yield (
            f"  will not rank any more: {each.model_name} ({each.board}): it is not judged by this "
            "judge; apply needs --leave-unranked."
        )


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
