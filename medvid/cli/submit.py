"""`medvid submit` and `medvid replace`: check here and there, send, remember, follow."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.prompt import Confirm

from medvid.api import DryRun, Receipt, Refused
from medvid.api.submissions import EntryFields
from medvid.api.uploads import UnreadableFile
from medvid.benchmark.ground_truth import InvalidGroundTruth
from medvid.benchmark.names import check_entry_fields
from medvid.benchmark.report import Code
from medvid.benchmark.unpacking import GZIP_MAGIC
from medvid.benchmark.validation import MINIMUM_RECORDS
from medvid.cli import memory
from medvid.cli.files import UnreadableFile as UnreadableHere
from medvid.cli.follow import follow
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run
from medvid.cli.validate import report_on, show

_GZIP_LEVEL: Final = 6
_SMALL_BYTES: Final = 64 * 1024
"""Smaller files are sent as they are."""


@dataclass(frozen=True, slots=True)
class Plan:
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


def submit(options: Options, plan: Plan) -> int:
    """Submit a file; return the exit status."""
    return run(options, lambda session: _submit(session, plan))


def _submit(session: Session, plan: Plan) -> int:
    old = session.named(plan.replaces) if plan.replaces is not None else None
    if plan.check:
        _check_here(session, plan)
    with _packed(plan.file) as packed:
        if plan.check:
            found = _check_there(session, plan, packed)
            if plan.dry_run:
                if session.options.as_json:
                    print_json(found)
                session.say("Nothing was submitted.")
                return Exit.DONE
        receipt = _send(session, plan, packed, old)
    name = plan.fields.get("model_name") or _name_of(session, plan.replaces)
    kept = memory.remember(session.url, receipt, name, plan.file)
    if not session.options.as_json:
        print(f"Submitted as {receipt.id}.")
        session.say(f"Its owner token is kept in {memory.path()}.", style="dim")
        if receipt.webhook_secret:
            print(f"Your webhook's secret, shown only now: {receipt.webhook_secret}")
    if plan.wait:
        return follow(session, kept.id, kept.owner_token, receipt=receipt)
    if session.options.as_json:
        print_json(receipt)
    return Exit.DONE


def _name_of(session: Session, submission: str | None) -> str:
    known = memory.find(session.url, submission)
    return known.model_name if known else ""


def _check_here(session: Session, plan: Plan) -> None:
    """Find what is wrong before anything is sent; raises Unfit, UnreadableFile."""
    problems = [
        problem
        for problem in check_entry_fields(plan.fields)
        if plan.replaces is None or problem.code != Code.MISSING_FIELD
    ]
    for problem in problems:
        session.say(f"  {problem.code} at {problem.path}: found {problem.found}. {problem.fix}")
    if problems:
        raise Unfit("the entry's fields have errors.", fix="Nothing was sent.")
    if plan.ground_truth and plan.test_set:
        raise Unfit("give --ground-truth or --test-set, not both.")
    try:
        report = report_on(plan.file, plan.ground_truth, plan.test_set, least=MINIMUM_RECORDS)
    except (UnreadableHere, InvalidGroundTruth) as error:
        raise UnreadableFile(str(error)) from None
    if not report.ok:
        show(report, session.notices)
        raise Unfit(
            f"the file {plan.file} has errors.", fix="Fix them and try again; nothing was sent."
        )


def _check_there(session: Session, plan: Plan, packed: Path) -> DryRun:
    """Ask the server what would become of it; raises Unfit, also where people then decline."""
    # A new version has the name that its old one holds.
    fields = plan.fields if plan.replaces is None else EntryFields()
    with _bar(session.notices, "checking") as progress:
        found = session.client.validate(
            packed, evaluate_only=plan.evaluate_only, progress=progress, **fields
        )
    if found.report is not None and (plan.dry_run or not found.ok or found.report.warnings):
        show(found.report, session.notices)
    if not found.ok:
        for problem in found.errors:
            if problem.location == "form":
                session.say(f"  {problem.code} at {problem.path}: {problem.found}. {problem.fix}")
        raise Unfit(f"the file {plan.file} would be refused.", fix="Nothing was submitted.")
    warned = found.report is not None and found.report.warnings
    asked = warned and not plan.sure and not plan.dry_run and sys.stdin.isatty()
    if asked and not Confirm.ask("Submit it nevertheless?", console=session.notices):
        raise Unfit("not submitted.")
    return found


def _send(
    session: Session, plan: Plan, packed: Path, old: tuple[str, str | None] | None
) -> Receipt:
    target = json.dumps([session.url, old and old[0], plan.evaluate_only])
    texts = {name: str(value) for name, value in plan.fields.items() if value is not None}
    upload, key = memory.upload_key(target, texts, packed)
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
            memory.upload_ended(upload)
        raise
    memory.upload_ended(upload)
    return receipt


@contextmanager
def _packed(file: Path) -> Iterator[Path]:
    """Give a gzip file of the same content; equal content gives equal bytes."""
    try:
        with file.open("rb") as source, tempfile.NamedTemporaryFile(prefix="medvid-") as target:
            if source.read(2) == GZIP_MAGIC or file.stat().st_size < _SMALL_BYTES:
                packed = file
            else:
                source.seek(0)
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, target, mtime=0) as out:
                    shutil.copyfileobj(source, out, 1 << 20)
                target.flush()
                packed = Path(target.name)
            yield packed
    except OSError as error:
        raise UnreadableFile(f"cannot read {file}: {error.strerror or error}.") from None


class _Told:
    """Shows the progress of an upload; called in the client's thread."""

    def __init__(self, bar: Progress, words: str) -> None:
        self._bar = bar
        self._words = words
        self._task = bar.add_task(words, total=None)

    def __call__(self, sent: int, total: int) -> None:
        words = self._words if sent < total else "the server checks it"
        self._bar.update(self._task, completed=sent, total=total, description=words)


@contextmanager
def _bar(console: Console, words: str) -> Iterator[_Told]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield _Told(bar, words)
