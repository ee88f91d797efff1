"""`medvid admin compare`: an entry's file beside one that the maintainers made of the model."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import typer
from rich.console import Console
from rich.text import Text

from medvid.benchmark.agreement import agreement
from medvid.benchmark.collection import paused_collection
from medvid.benchmark.disclosure import rounded
from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth
from medvid.benchmark.names import name_key
from medvid.benchmark.statistics.bootstrap import resample
from medvid.benchmark.statistics.comparisons import compare as differences
from medvid.benchmark.statistics.comparisons import in_words
from medvid.benchmark.tasks import METRICS, Scoring
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.unpacking import unpack
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, plain_table, print_json, print_table
from medvid.cli.scored_files import OFFLINE_LIMITS, estimates_of, score_file, scores_of
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.operate.database import open_database
from shared.runtime.errors import MedvidError
from shared.runtime.logs import configure_logs
from shared.storage.database import Database
from shared.storage.ground_truths import ground_truth_content
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "verification.sql")
_SCORING: Final[Scoring] = "compat"


@dataclass(frozen=True, slots=True)
class _Sent:
    """An entry, and the file that it was sent with (gzip)."""

    id: UUID
    model_name: str
    board: str
    ground_truth_version: str
    file_sha256: str
    payload: bytes


def compare(
    entry: Annotated[str, typer.Argument(help="id of the entry, or name of the model")],
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=f"of 'medvid predict', {JSON_OR_GZIP}"),
    ],
    why: Annotated[str, typer.Option("--why", "-w", help="a reason, for the audit log")],
    as_json: Json = False,
) -> int:
    """Compare an entry's file with one that you made with its model, before you promote it.

    Agreement by task, and the differences of the rule-based metrics with intervals. The report is
    kept in the audit log of the entry. Whether it verifies the entry is yours to say: 'medvid admin
    promote'.
    """
    configure_logs("warning", "auto", "admin")
    try:
        report = asyncio.run(_compare(entry, file, why))
    except MedvidError as error:
        raise CommandFailed(f"{error}", code=error.error_code) from None
    if as_json:
        print_json(report)
    else:
        _print(report)
    return Exit.DONE


async def _compare(named: str, file: Path, why: str) -> dict[str, Any]:
    action = AdminAction.of("operator", why, f"command-{uuid4().hex[:12]}")
    async with open_database() as database:
        sent = await _sent(database, named)
        truth = load_ground_truth(await ground_truth_content(database, sent.ground_truth_version))
        report = await asyncio.to_thread(_report, sent, truth, file)
        async with database.transaction() as transaction:
            subject = Subject("entry", str(sent.id))
            report["audit_line"] = await record(
                transaction, action, "compare", subject, after=report
            )
    return report


async def _sent(database: Database, named: str) -> _Sent:
    try:
        entry_id, key = UUID(named), None
    except ValueError:
        entry_id, key = None, name_key(named)
    rows = await database.pool.fetch(_SQL["sent"], entry_id, key)
    if not rows:
        raise CommandFailed(
            f"no entry {named!r} has a file.",
            fix="'medvid admin entries' lists them; imported ones have none, and old files may be "
            "deleted (MEDVID_KEEP_PAYLOAD_DAYS).",
            code="file_gone",
        )
    if len(rows) > 1:
        boards = " and ".join(row["board"] for row in rows)
        raise CommandFailed(f"{named!r} is on {boards}.", fix="Give its id.", code="ambiguous")
    return _Sent(**rows[0])


def _report(sent: _Sent, truth: GroundTruth, file: Path) -> dict[str, Any]:
    """Score both files and compare them; raises NotScorable."""
    with TemporaryDirectory(prefix="medvid-compare-") as folder, paused_collection():
        own = Path(folder) / "entry.json.gz"
        own.write_bytes(sent.payload)
        theirs, ours = (score_file(truth, each) for each in (own, file))
    resampling = resample(truth.samples, truth.version)
    one, other = (
        scores_of(each.card.metrics, estimates_of(each.card, resampling, truth.samples, None),
                  _SCORING)
        for each in (theirs, ours)
    )  # fmt: skip
    found = differences(one, other)
    items = TestSet.from_ground_truth(truth).public.items
    alike = agreement(items, theirs.predictions, ours.predictions)
    return {
        "entry": str(sent.id),
        "model_name": sent.model_name,
        "board": sent.board,
        "ground_truth_version": truth.version,
        "metric_version": theirs.card.metric_version,
        "files": {"entry": sent.file_sha256, "comparison": _unpacked_sha256(file)},
        "agreement": {str(task): asdict(each) for task, each in alike.items()},
        "metrics": {
            key: {
                "entry": rounded(one[key].value),
                "comparison": rounded(other[key].value),
                **_rounded(asdict(each)),
                "decision": each.decision,
            }
            for key, each in found.items()
        },
        "summary": in_words("the entry", "the comparison", found),
    }


def _unpacked_sha256(file: Path) -> str:
    """Return the digest as a submission has it."""
    content = unpack(file.read_bytes(), OFFLINE_LIMITS.unpacked_bytes)
    return hashlib.sha256(content).hexdigest()


def _rounded(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: rounded(value) if isinstance(value, float) else value for name, value in found.items()
    }


def _print(report: Mapping[str, Any]) -> None:
    alike = plain_table("Task", title="Agreement")
    for heading in ("Samples", "Both answer", "Same text", "Parsed alike"):
        alike.add_column(heading, justify="right")
    for task, each in report["agreement"].items():
        alike.add_row(task, *(f"{count:,}" for count in each.values()))
    print_table(alike)
    table = plain_table("Metric", title="\nEntry less comparison")
    for heading in ("Entry", "Comparison", "Difference", "95 %", "p (Holm)"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for metric in METRICS:
        found = report["metrics"].get(metric.key)
        if found is not None:
            low, high, p = found["low"], found["high"], found["p_holm"]
            table.add_row(
                metric.label,
                f"{found['entry']:.4f}",
                f"{found['comparison']:.4f}",
                f"{found['difference']:+.4f}",
                "" if low is None else f"{low:+.4f} to {high:+.4f}",
                "" if p is None else f"{p:.3f}",
                found["decision"],
            )
    print_table(table)
    said = f"\n{report['summary'][:1].upper()}{report['summary'][1:]} Judged metrics are left out."
    kept = f"Kept in the audit log, line {report['audit_line']}."
    Console(highlight=False).print(Text(f"{said}\n{kept}"), soft_wrap=True)
    sys.stdout.flush()
