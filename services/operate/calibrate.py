"""`medvid admin calibrate-judge`: hold the configured judge against humans, before trusting it.

A file whose lines all have `judge` scores needs neither a judge nor a database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import Json
from medvid.cli.printing import plain_table, print_table, span
from medvid.judging.agreement import AgreementInterval
from medvid.judging.estimates import RunEstimate
from medvid.judging.pricing import FREE, MICROUSD
from medvid.judging.versions import JudgeVersion
from services.judge.members import members_of
from services.judge.runs import Item
from services.judge.settings import JudgeSettings
from services.judge.store import add_calibration
from services.operate.calibration import (
    ALPHA,
    ALPHA_OF_PART,
    BIAS,
    LEAST_PAIRS,
    LENGTH_BIAS,
    Agreement,
    Calibration,
    JudgeComparison,
    LabelledPair,
    calibrate,
    compare,
)
from services.operate.calibration_verdicts import (
    Asking,
    asking,
    find_version,
    questions,
    read_verdicts,
    with_scores,
)
from services.operate.database import open_database
from services.operate.labelled import read_labelled
from shared.runtime.errors import MedvidError, Misconfigured
from shared.runtime.logs import configure_logs
from shared.runtime.settings import load_settings
from shared.storage.database import Database

_FAILED: Final = 3  # exit status: it ran, and the judge does not pass
_say = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Judged:
    pairs: Sequence[LabelledPair]
    version: JudgeVersion | None = None
    stopped: str | None = None


def calibrate_judge(
    labelled: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines with human scores")
    ],
    probes: Annotated[
        int,
        typer.Option(
            min=0,
            help="Ask for so many pairs again, with reversed sentences, and doubled: three calls "
            "each",
        ),
    ] = 50,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and ask nothing")
    ] = False,
    comparing: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare",
            metavar="A B",
            help="Compare two judge versions by the verdicts that are kept; asks nothing",
        ),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="Of a panel, the one that is held: its model's name")
    ] = None,
    as_json: Json = False,
) -> int:
    """Hold the configured judge against human scores: agreement, biases, pass or fail.

    A line: {"prediction", "reference", "qa_type", "scores": {"R2": 1-5, ...} or a list of them,
    one a rater}. Each pair costs a call, unless its line has "judge" scores of its own or its
    verdict is kept from before. Fewer than 100 pairs give no verdict.
    """
    configure_logs("warning", "auto", "admin")
    try:
        pairs = read_labelled(labelled.read_bytes())
        if comparing:
            return _print_comparison(asyncio.run(_compare(pairs, *comparing)), as_json=as_json)
        judged = asyncio.run(_judge(pairs, probes, judge, dry_run=dry_run))
        if judged is None:
            return 0
        result = calibrate(judged.pairs)
        if judged.version is not None and judged.stopped is None:
            asyncio.run(_record(judged.version, result))
    except (MedvidError, ValueError) as error:
        raise CommandFailed(f"{error}") from None
    unscored = sum(pair.judge is None for pair in judged.pairs)
    (_print_json if as_json else _print_text)(result, judged, unscored)
    return 0 if result.outcome == "passed" and judged.stopped is None else _FAILED


async def _judge(
    pairs: Sequence[LabelledPair], probes: int, name: str | None, *, dry_run: bool
) -> _Judged | None:
    """Have the configured judge score what it has not scored; None after a dry run."""
    asked = questions(pairs, probes)
    if not asked:
        return _Judged(pairs)
    settings = _one_judge(load_settings(JudgeSettings), name)
    async with open_database() as database, asking(database, settings) as judge:
        version = judge.grader.version
        items = list(asked.values())
        known = await read_verdicts(database, version.hash, items)
        left = list({item.key: item for item in items if item.key not in known}.values())
        expected = await judge.estimate(left)
        _say_estimate(expected, len(known), priced=settings.price is not FREE)
        if dry_run:
            return None
        if left:
            await _ask(judge, left)
            known = await read_verdicts(database, version.hash, items)
        return _Judged(with_scores(pairs, asked, known), version, judge.stopped)


def _one_judge(settings: JudgeSettings, name: str | None) -> JudgeSettings:
    """Return the settings of the judge of this model; raises Misconfigured where it is not one."""
    members = members_of(settings).judges
    chosen = [each for each in members if name in (None, each.name)]
    if len(chosen) == 1:
        return chosen[0].settings
    names = ", ".join(each.name for each in members)
    raise Misconfigured(
        f"no judge is named {name}." if name else "a calibration is of one judge, of several.",
        fix=f"Choose one with --judge: {names}.",
    )


async def _ask(judge: Asking, left: Sequence[Item]) -> None:
    with Progress(console=_say, transient=True) as progress:
        task = progress.add_task("Judging", total=len(left))
        await judge.ask(left, lambda: progress.advance(task))
    _say.print(f"Cost {judge.cost_microusd / MICROUSD:.4f} USD.")
    for reason, count in judge.unscored.most_common():
        _say.print(f"{count} without a verdict: {reason}.")
    if judge.stopped is not None:
        _say.print(f"Stopped: {judge.stopped} What is judged is kept; run it again to continue.")


async def _record(version: JudgeVersion, result: Calibration) -> None:
    """Keep the report with the judge's version, whose numbers are shown together with it."""
    async with open_database() as database, database.transaction() as transaction:
        await add_calibration(transaction, version, result.public())


async def _compare(
    pairs: Sequence[LabelledPair], one: str, other: str
) -> dict[str, JudgeComparison]:
    unjudged = [LabelledPair(p.prediction, p.reference, p.qa_type, p.humans) for p in pairs]
    async with open_database() as database:
        return compare(*[await _kept(database, unjudged, start) for start in (one, other)])


async def _kept(
    database: Database, pairs: Sequence[LabelledPair], start: str
) -> list[LabelledPair]:
    asked = questions(pairs, 0)
    version = await find_version(database, start)
    return with_scores(pairs, asked, await read_verdicts(database, version, list(asked.values())))


def _say_estimate(expected: RunEstimate, known: int, *, priced: bool) -> None:
    money = f"about {expected.microusd / MICROUSD:.2f} USD" if priced else "price not set"
    tokens = expected.prompt_tokens + expected.completion_tokens
    _say.print(
        f"{expected.calls} calls to make ({money}, {tokens:,} tokens, some "
        f"{span(expected.seconds)}); {known} verdicts are known."
    )


def _print_json(result: Calibration, judged: _Judged, unscored: int) -> None:
    version = judged.version
    judge = {"hash": version.hash, **version.public()} if version else None
    found = {
        "judge_version": judge, "unscored": unscored, "stopped": judged.stopped, **result.public()
    }  # fmt: skip
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def _print_text(result: Calibration, judged: _Judged, unscored: int) -> None:
    version = judged.version
    judge = f"{version.model} ({version.hash[:12]})" if version else "scores of the file"
    print(f"Judge: {judge}. Pairs: {result.overall.pairs} scored, {unscored} unscored.")
    table = plain_table()
    columns = ("", "pairs", "alpha (95 %)", "bias (95 %)", "alpha of humans", "Spearman",
               "quadratic kappa", "judge", "humans")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name, found in {"all": result.overall, **result.aspects, **result.tasks}.items():
        table.add_row(name, *_cells(found))
    print_table(table)
    for title, interval in (
        ("Length bias (correlation of the judge's excess over humans with length)",
         result.length_bias),
        ("Position bias (levels, with sentences reversed)", result.position),
        ("Duplication bias (levels, with the caption doubled)", result.duplication),
        ("Test-retest (alpha of the judge with itself)", result.retest),
    ):  # fmt: skip
        if interval is not None:
            print(f"{title}: {_span(interval)}.")
    print(_sentence(result))


def _sentence(result: Calibration) -> str:
    marks = (
        f"alpha: lower bound {ALPHA:g}, of an aspect or a task {ALPHA_OF_PART:g}; "
        f"bias: within {BIAS:g}; length bias: within {LENGTH_BIAS:g}"
    )
    match result.outcome:
        case "too_few_pairs":
            return f"NO VERDICT: too few pairs, {LEAST_PAIRS} are needed."
        case "failed":
            return f"FAILS on {', '.join(result.failed)} ({marks})."
        case "passed":
            return f"PASSES ({marks})."


def _cells(found: Agreement) -> list[str]:
    return [
        str(found.pairs),
        _span(found.alpha),
        _span(found.bias),
        *map(_number, (found.human_alpha, found.spearman, found.kappa)),
        f"{found.judge_mean:.2f}",
        f"{found.human_mean:.2f}",
    ]


def _print_comparison(found: dict[str, JudgeComparison], *, as_json: bool) -> int:
    if as_json:
        shown = {name: one.public() for name, one in found.items()}
        print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return 0
    table = plain_table()
    for column in ("", "pairs", "alpha of A (95 %)", "alpha of B (95 %)", "A less B (95 %)"):
        table.add_column(column, justify="right" if column else "left")
    for name, one in found.items():
        spans = map(_span, (one.one, one.other, one.difference))
        table.add_row(name, str(one.pairs), *spans)
    print_table(table)
    low, high = found["overall"].difference.low, found["overall"].difference.high
    better = "A" if low is not None and low > 0 else "B" if high is not None and high < 0 else None
    print(f"{better} agrees better with humans." if better else "The difference may be chance.")
    return 0


def _span(found: AgreementInterval) -> str:
    if found.low is None or found.high is None:
        return _number(found.value)
    return f"{_number(found.value)} ({found.low:.3f} to {found.high:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
