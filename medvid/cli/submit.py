"""`medvid submit` and `medvid replace`: check here and there, send, remember, follow."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.prompt import Confirm

from medvid.api import DryRun, Receipt, Refused
from medvid.api.submissions import EntryFields
from medvid.benchmark.names import check_entry_fields
from medvid.benchmark.report import Advice, Code
from medvid.benchmark.test_set import TestSet as Samples
from medvid.benchmark.unpacking import GZIP_MAGIC
from medvid.cli import known_submissions
from medvid.cli.facts import read_facts
from medvid.cli.failures import CommandFailed, WrongUsage
from medvid.cli.files import read_file, read_samples
from medvid.cli.parameters import (
    Check,
    Contact,
    FactsFile,
    File,
    GroundTruth,
    ModelUrl,
    NoWait,
    StatedFacts,
    Sure,
    TestSet,
    Text,
    Track,
    Webhook,
)
from medvid.cli.printing import Exit, print_json, problem_line
from medvid.cli.published_test_set import published_samples
from medvid.cli.session import Session, interruptible, with_key, with_token
from medvid.cli.validate import check_content, show_report
from medvid.cli.watch import follow
from medvid.models.reports import ReportWarning

_GZIP_LEVEL: Final = 6
_SMALL_BYTES: Final = 64 * 1024
"""Smaller files are sent as they are."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be sent and how. `replaces` names a submission as people do."""

    file: Path
    fields: EntryFields
    replaces: str | None = None
    evaluate_only: bool = False
    ground_truth: Path | None = None
    test_set: Path | None = None
    check: bool = True
    dry_run: bool = False
    sure: bool = False
    wait: bool = True

    @property
    def has_samples(self) -> bool:
        """Whether the command line names what to check the file against."""
        return self.ground_truth is not None or self.test_set is not None


@with_key
def submit(
    session: Session,
    file: File,
    model_name: Annotated[str, typer.Option("--model-name", "-m", help="unique on the board")],
    organization: Annotated[str, typer.Option("--organization", "-o", help="who submits")],
    team: Text = None,
    authors: Text = None,
    contact: Contact = None,
    model_url: ModelUrl = None,
    track: Track = None,
    webhook: Webhook = None,
    facts: FactsFile = None,
    fact: StatedFacts = None,
    evaluate_only: Annotated[
        bool, typer.Option("--evaluate-only", help="score and rank it for my eyes only")
    ] = False,
    ground_truth: GroundTruth = None,
    test_set: TestSet = None,
    check: Check = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check only, submit nothing")] = False,
    sure: Sure = False,
    no_wait: NoWait = False,
) -> int:
    """Submit predictions and follow them to the board.

    The test set comes first: 'medvid test-set' gets its questions, whose order a file keeps.
    An upload that was cut off is sent again, and never becomes two submissions: not even when the
    command itself is killed and repeated. The owner token is remembered for the other commands.
    """
    fields: EntryFields = {
        "model_name": model_name, "organization": organization, "team": team, "authors": authors,
        "contact": contact, "model_url": model_url, "track": track, "webhook_url": webhook,
        "facts": read_facts(facts, fact or ()) or None,
    }  # fmt: skip
    plan = _Plan(
        file, fields, evaluate_only=evaluate_only, ground_truth=ground_truth, test_set=test_set,
        check=check or dry_run, dry_run=dry_run, sure=sure, wait=not no_wait,
    )  # fmt: skip
    return _submit(session, plan)


@with_token
def replace(
    session: Session,
    submission: Annotated[
        str,
        typer.Argument(help="the version before: its id, the beginning of it, or the model name"),
    ],
    file: File,
    model_name: Annotated[
        str | None, typer.Option("--model-name", "-m", help="its name, if that changes")
    ] = None,
    organization: Annotated[
        str | None, typer.Option("--organization", "-o", help="who submits, if that changes")
    ] = None,
    team: Text = None,
    authors: Text = None,
    contact: Contact = None,
    model_url: ModelUrl = None,
    track: Track = None,
    webhook: Webhook = None,
    facts: FactsFile = None,
    fact: StatedFacts = None,
    ground_truth: GroundTruth = None,
    test_set: TestSet = None,
    check: Check = True,
    sure: Sure = False,
    no_wait: NoWait = False,
) -> int:
    """Submit a new version of a model; the old one is ranked until this one can take its place.

    That is once this one is scored, and where the old one was judged, judged: verdicts that are
    known cost nothing and fill in by themselves, others are judged when you ask for it.
    """
    fields: EntryFields = {
        "model_name": model_name, "organization": organization, "team": team, "authors": authors,
        "contact": contact, "model_url": model_url, "track": track, "webhook_url": webhook,
        "facts": read_facts(facts, fact or ()) or None,
    }  # fmt: skip
    plan = _Plan(
        file, fields, replaces=submission, ground_truth=ground_truth, test_set=test_set,
        check=check, sure=sure, wait=not no_wait,
    )  # fmt: skip
    return _submit(session, plan)


def _submit(session: Session, plan: _Plan) -> int:
    """Check the file, send it and follow it; say how things stand where people interrupt."""
    old = session.named(plan.replaces) if plan.replaces is not None else None
    with interruptible(session, "Nothing was submitted."):
        packed = _checked(session, plan)
    if packed is None:
        session.say("Nothing was submitted.")
        return Exit.DONE
    again = "It may have arrived. Run the same command again: it never makes two submissions."
    with interruptible(session, again):
        receipt, upload = _send(session, plan, packed, old)
        name = plan.fields.get("model_name") or _name_of(session, plan.replaces)
        kept = known_submissions.remember(session.url, receipt, name, plan.file)
        known_submissions.upload_ended(upload)  # now that its token is kept
    if not session.as_json:
        print(f"Submitted as {receipt.id}.")
        session.say(f"Its owner token is kept in {known_submissions.path()}.", style="dim")
        if receipt.webhook_secret:
            print(f"Your webhook's secret, shown only now: {receipt.webhook_secret}")
    if plan.wait:
        return follow(session, kept.id, kept.owner_token, receipt=receipt)
    if session.as_json:
        print_json(receipt)
    return Exit.DONE


def _checked(session: Session, plan: _Plan) -> bytes | None:
    """Return what is to be sent, None of a dry run; raises CommandFailed.

    The file is read once: what is checked here is what is packed, checked there and sent.
    """
    from medvid.benchmark.decoding import SUBMISSION_LIMITS

    if plan.check:
        _check_fields(session, plan)
    content = read_file(plan.file, SUBMISSION_LIMITS.unpacked_bytes)
    samples = _samples(session, plan) if plan.check else None
    warned = _check_here(session, plan, content, samples) if plan.check else set()
    if len(content) > SUBMISSION_LIMITS.unpacked_bytes:  # unchecked, and not read to its end
        most = SUBMISSION_LIMITS.unpacked_bytes >> 20
        raise CommandFailed(f"the file {plan.file} has more than {most} MiB.")
    packed = _packed(content)
    # Against the published test set the file has had the server's own check here.
    if plan.check and (samples is None or plan.has_samples or plan.dry_run):
        found = _check_there(session, plan, packed, warned)
        if plan.dry_run:
            if session.as_json:
                print_json(found)
            return None
    return packed


def _name_of(session: Session, submission: str | None) -> str:
    known = known_submissions.find(session.url, submission)
    return known.model_name if known else ""


def _packed(content: bytes) -> bytes:
    """Return the file as it is sent; equal content gives equal bytes."""
    if content.startswith(GZIP_MAGIC) or len(content) < _SMALL_BYTES:
        return content
    return gzip.compress(content, _GZIP_LEVEL, mtime=0)


def _check_fields(session: Session, plan: _Plan) -> None:
    """Find what is wrong with the entry's fields; raises CommandFailed."""
    problems = [
        problem
        for problem in check_entry_fields(plan.fields)
        if plan.replaces is None or problem.code != Code.MISSING_FIELD
    ]
    for problem in problems:
        session.say(f"  {problem_line(problem)}")
    if problems:
        raise CommandFailed(
            "the entry's fields have errors.", fix="Nothing was sent.", code="invalid_fields",
            report={"problems": list(map(asdict, problems))},
        )  # fmt: skip
    if plan.ground_truth and plan.test_set:
        raise WrongUsage("give --ground-truth or --test-set, not both.")


def _samples(session: Session, plan: _Plan) -> Samples | None:
    """Return what to check the file against: what the command line names, or the server publishes.

    Raises UnreadableFile, and as a call.
    """
    if plan.has_samples:
        return read_samples(plan.ground_truth, plan.test_set)
    return published_samples(session)


def _check_here(
    session: Session, plan: _Plan, content: bytes, samples: Samples | None
) -> set[tuple[str, str | None]]:
    """Find what is wrong before anything is sent; return the warnings that people accepted.

    Without the samples the server's report is the fuller one, so they are asked once, about that.
    Raises CommandFailed.
    """
    from medvid.benchmark.validation import MINIMUM_RECORDS

    report = check_content(content, samples, MINIMUM_RECORDS)
    if not report.ok:
        show_report(report, session.notices)
        raise CommandFailed(
            f"the file {plan.file} has errors.", fix="Fix them and try again; nothing was sent.",
            code="invalid_file", report=report.to_dict(),
        )  # fmt: skip
    if samples is None or plan.dry_run or not report.warnings:
        return set()
    show_report(report, session.notices)
    _accept_warnings(session, plan)
    return _kinds(report.warnings)


def _check_there(
    session: Session, plan: _Plan, packed: bytes, accepted: set[tuple[str, str | None]]
) -> DryRun:
    """Have the server check it; raises CommandFailed, also where people then decline."""
    # A new version has the name that its old one holds.
    fields = plan.fields if plan.replaces is None else EntryFields()
    with _bar(session.notices, "checking") as progress:
        found = session.client.validate(
            packed, evaluate_only=plan.evaluate_only, progress=progress, **fields
        )
    new = _kinds(found.report.warnings if found.report else ()) - accepted
    if found.report is not None and (plan.dry_run or not found.ok or new):
        show_report(found.report, session.notices)
    if not found.ok:
        for problem in found.errors:
            if problem.location == "form":
                session.say(f"  {problem_line(problem)}")
        raise CommandFailed(
            f"the file {plan.file} would be refused.", fix="Nothing was submitted.",
            code="invalid_submission", report=found.model_dump(mode="json"),
        )  # fmt: skip
    if new and not plan.dry_run:
        _accept_warnings(session, plan)
    return found


def _kinds(warnings: Sequence[Advice | ReportWarning]) -> set[tuple[str, str | None]]:
    return {(str(each.code), each.task or None) for each in warnings}


def _accept_warnings(session: Session, plan: _Plan) -> None:
    """Return where people submit in spite of warnings; raises CommandFailed otherwise."""
    if plan.sure:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(
            f"the file {plan.file} has warnings.",
            fix="Fix what they say, or give --yes to submit it as it is. Nothing was submitted.",
            code="needs_consent",
        )
    if not Confirm.ask("Submit it nevertheless?", console=session.notices):
        raise CommandFailed("not submitted.", code="declined")


def _send(
    session: Session, plan: _Plan, packed: bytes, old: tuple[str, str | None] | None
) -> tuple[Receipt, str]:
    """Return the receipt, and the upload's name: to be forgotten once the receipt is kept."""
    target = json.dumps([session.url, old and old[0], plan.evaluate_only])
    texts = {name: str(value) for name, value in plan.fields.items() if value is not None}
    upload, key = known_submissions.upload_key(target, texts, packed)
    client = session.client
    try:
        with _bar(session.notices, "sending") as progress:
            if old is not None:
                receipt = client.replace(
                    old[0], packed, token=old[1], idempotency_key=key, progress=progress,
                    **plan.fields,
                )  # fmt: skip
            else:
                receipt = client.submit(
                    packed, evaluate_only=plan.evaluate_only, idempotency_key=key,
                    progress=progress, **plan.fields,
                )  # fmt: skip
    except Refused as error:
        if error.status < 500:
            known_submissions.upload_ended(upload)
        raise
    return receipt, upload


@contextmanager
def _bar(console: Console, words: str) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of an upload; what is given is called in the client's thread."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(words, total=None)

        def show(sent: int, total: int) -> None:
            now = words if sent < total else "the server checks it"
            bar.update(task, completed=sent, total=total, description=now)

        yield show
