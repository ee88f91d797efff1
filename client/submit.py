"""`medvid submit`: check here, send, remember, follow."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from client import memory
from client.api import LeaderboardError, Receipt, Refused
from client.api.uploads import UnreadableFile
from client.files import UnreadableFile as UnreadableHere
from client.follow import follow
from client.session import Exit, Options, Session, print_json, run
from client.validate import report_on, show
from shared.benchmark.ground_truth import InvalidGroundTruth
from shared.benchmark.names import check_entry_fields
from shared.benchmark.report import Problem
from shared.benchmark.unpacking import GZIP_MAGIC

_GZIP_LEVEL: Final = 6
_SMALL_BYTES: Final = 64 * 1024
"""Smaller files are sent as they are."""


class Unfit(LeaderboardError):
    """A check on this machine found errors; they have been shown."""


def submit(
    options: Options,
    file: Path,
    fields: Mapping[str, str | None],
    *,
    ground_truth: Path | None,
    test_set: Path | None,
    check: bool,
    dry_run: bool,
    wait: bool,
) -> int:
    """Submit a file; return the exit status."""
    given = {name: value for name, value in fields.items() if value is not None}

    def work(session: Session) -> int:
        if check:
            _check_fields(session, given)
            _check_file(session, file, ground_truth, test_set)
        if dry_run:
            session.say("Nothing was sent.")
            return Exit.DONE
        receipt = _send(session, file, given)
        kept = memory.remember(session.url, receipt, given["model_name"], file)
        if not options.as_json:
            print(f"Submitted as {receipt.id}.")
            session.say(f"Its owner token is kept in {memory.path()}.", style="dim")
        if not wait:
            if options.as_json:
                print_json(receipt)
            return Exit.DONE
        return follow(session, kept.id, kept.owner_token, receipt=receipt)

    return run(options, work)


def _check_fields(session: Session, fields: Mapping[str, str]) -> None:
    problems = check_entry_fields(fields)
    if problems:
        raise _unfit(session, "the entry's fields have errors.", problems)


def _unfit(session: Session, detail: str, problems: list[Problem]) -> Unfit:
    for problem in problems:
        session.say(f"  {problem.code} at {problem.path}: found {problem.found}. {problem.fix}")
    return Unfit(detail, fix="Nothing was sent.")


def _check_file(
    session: Session, file: Path, ground_truth: Path | None, test_set: Path | None
) -> None:
    if ground_truth and test_set:
        raise Unfit("give --ground-truth or --test-set, not both.")
    try:
        report = report_on(file, ground_truth, test_set)
    except (UnreadableHere, InvalidGroundTruth) as error:
        raise UnreadableFile(str(error)) from None
    if not report.ok or report.warnings:
        show(report, session.notices)
    if not report.ok:
        raise Unfit(f"{file} has errors.", fix="Mend them and try again; nothing was sent.")


def _send(session: Session, file: Path, fields: Mapping[str, str]) -> Receipt:
    with _packed(file) as packed, _bar(session.notices) as bar:
        upload, key = memory.upload_key(session.url, fields, packed)
        task = bar.add_task("sending", total=None)

        def progress(sent: int, total: int) -> None:
            words = "sending" if sent < total else "the server checks it"
            bar.update(task, completed=sent, total=total, description=words)

        try:
            receipt = session.client.submit(
                packed,
                model_name=fields["model_name"],
                organization=fields["organization"],
                team=fields.get("team"),
                authors=fields.get("authors"),
                contact=fields.get("contact"),
                model_url=fields.get("model_url"),
                track=fields.get("track"),
                idempotency_key=key,
                progress=progress,
            )
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
        with file.open("rb") as source:
            if source.read(2) == GZIP_MAGIC or file.stat().st_size < _SMALL_BYTES:
                yield file
                return
            source.seek(0)
            with tempfile.NamedTemporaryFile(prefix="medvid-", suffix=".json.gz") as target:
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, target, mtime=0) as packed:
                    shutil.copyfileobj(source, packed, 1 << 20)
                target.flush()
                yield Path(target.name)
    except OSError as error:
        raise UnreadableFile(f"cannot read {file}: {error.strerror or error}.") from None


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
