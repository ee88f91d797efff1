"""`medvid admin calibrate-judge`: hold the configured judge against humans, before trusting it.

A line of the labelled file is one pair: `prediction`, `reference`, `qa_type`, and `scores`, one
object of five aspects or a list of them, one a rater. A line that also has `judge` (scores given
earlier) is not judged again; a file of such lines needs neither a judge nor a database.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID, uuid4

import orjson
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.table import Table

from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS, task_of
from medvid.cli.parameters import Json
from medvid.cli.printing import print_table
from medvid.judging.verdicts import is_valid
from services.judge.open_judge import open_judge
from services.judge.settings import JudgeSettings
from services.judge.store import add_calibration
from services.judge.verdict import Grader, JudgeVersion, Pair, TryLater
from services.operate.agreement import (
    MARKS,
    Agreement,
    Calibration,
    LabelledPair,
    Scores,
    calibrate,
)
from services.operate.database import open_database
from shared.messaging.local import LocalBus
from shared.runtime.errors import InvalidInput, MedvidError, Misconfigured
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.logs import configure_logs
from shared.runtime.ops import Readiness
from shared.runtime.settings import load_settings

_TRIES: Final = 10
_SHOWN_PROBLEMS: Final = 10
_FAILED: Final = 3  # exit status: it ran, and the judge does not pass


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    prediction: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    qa_type: str
    scores: dict[str, int] | list[dict[str, int]]
    judge: dict[str, int] | None = None


def calibrate_judge(
    labelled: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines with human scores")
    ],
    as_json: Json = False,
) -> int:
    """Hold the configured judge against human scores: agreement, length bias, pass or fail.

    A line: {"prediction", "reference", "qa_type", "scores": {"R2": 1-5, ...} or a list of them,
    one a rater}. Each pair costs a call, unless its line has "judge" scores of its own.
    """
    configure_logs("warning", "auto", "admin")
    try:
        pairs = read_labelled(labelled.read_bytes())
        pairs, version = asyncio.run(_judge(pairs))
        result = calibrate(pairs)
        if version is not None:
            asyncio.run(_record(version, result))
    except ModuleNotFoundError as error:
        print(
            f"medvid: calibration needs {error.name}. "
            "Install it: pip install -r requirements/calibration.lock",
            file=sys.stderr,
        )
        return 1
    except (MedvidError, ValueError) as error:
        print(f"medvid: {error}", file=sys.stderr)
        return 1
    unscored = sum(pair.judge is None for pair in pairs)
    (_print_json if as_json else _print_text)(result, version, unscored)
    return _FAILED if result.failed else 0


def read_labelled(content: bytes) -> list[LabelledPair]:
    """Read a labelled file; raises InvalidInput that names the lines that are wrong."""
    pairs, problems = [], []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            pairs.append(_read_line(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            problems.append(f"line {number}: {where}: {first['msg']}")
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        shown = "\n".join(problems[:_SHOWN_PROBLEMS])
        raise InvalidInput(f"{len(problems)} lines cannot be read:\n{shown}")
    return pairs


def _read_line(line: bytes) -> LabelledPair:
    found = _Line.model_validate(orjson.loads(line))
    humans = found.scores if isinstance(found.scores, list) else [found.scores]
    if task_of(found.qa_type) not in CAPTION_TASKS:
        raise ValueError(f"{found.qa_type} is no caption task")
    if not humans or not all(map(is_valid, [*humans, *filter(None, [found.judge])])):
        raise ValueError(f"scores must be whole numbers from 1 to 5 for {', '.join(ASPECTS)}")
    return LabelledPair(
        found.prediction, found.reference, found.qa_type, tuple(humans), found.judge
    )


async def _judge(
    pairs: Sequence[LabelledPair],
) -> tuple[list[LabelledPair], JudgeVersion | None]:
    """Have the configured judge score the pairs that it has not scored."""
    if all(pair.judge is not None for pair in pairs):
        return list(pairs), None
    settings = load_settings(JudgeSettings)
    async with open_database() as database:
        base = Infrastructure(database, LocalBus(database), Readiness())
        try:
            async with open_judge(base, settings) as judge:
                if judge is None:
                    raise Misconfigured(
                        "there is no judge.", fix="Set MEDVID_JUDGE_PROVIDER; see 'medvid config'."
                    )
                grader, run_id = judge.grader, uuid4()
                scored = await asyncio.gather(*(_score(grader, pair, run_id) for pair in pairs))
                return list(scored), grader.version
        finally:
            await base.close()


async def _record(version: JudgeVersion, result: Calibration) -> None:
    """Keep the report with the judge's version, whose numbers are shown together with it."""
    async with open_database() as database, database.transaction() as transaction:
        await add_calibration(transaction, version, result.public())


async def _score(grader: Grader, pair: LabelledPair, run_id: UUID) -> LabelledPair:
    if pair.judge is not None:
        return pair
    task = task_of(pair.qa_type)
    assert task is not None  # noqa: S101 - checked when read
    for _ in range(_TRIES):
        try:
            asked = Pair(pair.prediction, pair.reference, task)
            scores: Scores | None = (await grader.judge(asked, 0, run_id=run_id)).scores
        except TryLater as refusal:
            await asyncio.sleep(refusal.seconds)
        else:
            return replace(pair, judge=scores)
    return pair


def _print_json(result: Calibration, version: JudgeVersion | None, unscored: int) -> None:
    judge = {"hash": version.hash, **version.public()} if version else None
    options = orjson.OPT_INDENT_2
    found = {"judge_version": judge, "unscored": unscored, **result.public()}
    print(orjson.dumps(found, option=options).decode())


def _print_text(result: Calibration, version: JudgeVersion | None, unscored: int) -> None:
    judge = f"{version.model} ({version.hash[:12]})" if version else "scores of the file"
    print(f"Judge: {judge}. Pairs: {result.overall.pairs} scored, {unscored} unscored.")
    table = Table()
    columns = ("", "Spearman", "quadratic kappa", "alpha", "alpha of humans", "judge", "humans")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name, found in {"all": result.overall, **result.aspects}.items():
        table.add_row(name, *_cells(found))
    print_table(table)
    bias = _shown(result.length_bias)
    print(f"Length bias: {bias} (correlation of the judge's excess over humans with length).")
    marks = ", ".join(f"{name} {mark:g}" for name, mark in MARKS.items())
    failed = f"FAILS on {', '.join(result.failed)}" if result.failed else "PASSES"
    print(f"{failed} (marks: {marks}).")


def _cells(found: Agreement) -> list[str]:
    values = (found.spearman, found.kappa, found.alpha, found.human_alpha)
    return [*map(_shown, values), f"{found.judge_mean:.2f}", f"{found.human_mean:.2f}"]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
