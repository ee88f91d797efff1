"""`medvid rank`: the board's ranking rule applied to a file of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.table import Table
from rich.text import Text

from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS, UNDECODABLE, Element, RefusedFile, decode
from medvid.benchmark.ranking import RankedRow, Row
from medvid.benchmark.ranking import rank as rank_rows
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.statistics.ranks import RankStatistics, rank_statistics
from medvid.benchmark.tasks import METRIC_KEYS, METRICS
from medvid.cli.failures import CommandFailed
from medvid.cli.files import read_file
from medvid.cli.parameters import Json, Ranking
from medvid.cli.printing import (
    NO_RANK,
    Exit,
    plain_table,
    print_json,
    print_table,
    problem_line,
)
from medvid.cli.replicate_files import replicates_by_row

_MAY_BE_BEST: Final = "*"
_Statistics = Sequence[RankStatistics] | None
"""Of the ranked rows, in order; None where they were not asked for."""


def rank(
    rows: Annotated[Path, typer.Argument(help="a list of rows: model_name and metric keys")],
    ranking: Ranking = "competition",
    as_json: Json = False,
    replicates: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE.npz",
            help="the replicates of the row of this model name, written by 'medvid score "
            "--replicates'; once for each model; adds rank intervals",
        ),
    ] = None,
    scoring: Annotated[
        Literal["compat", "strict"],
        typer.Option(help="which of the replicates' values the rows hold"),
    ] = "compat",
) -> int:
    """Rank rows by the board's rule: order and mean ranks; a metric left out is missing.

    Rows without any value come last and have no rank. With replicates, each rank has an interval;
    rows without replicates keep their values.
    """
    data = read_file(rows, GROUND_TRUTH_LIMITS.unpacked_bytes)
    problems = Problems()
    given = _read_rows(data, problems)
    if problems.count:
        lines = [f"{problems.count} error(s) in {rows}:", *map(problem_line, problems.first)]
        report = {"problem_count": problems.count, "problems": list(map(asdict, problems.first))}
        raise CommandFailed("\n  ".join(lines), code="invalid_file", report=report)
    ranked, indexes = rank_rows(given, ranking)
    unranked = [str(given[index]["model_name"]) for index in indexes]
    statistics: _Statistics = None
    if replicates:
        own = replicates_by_row(replicates, [str(row["model_name"]) for row in given], scoring)
        statistics = rank_statistics(ranked, own, ranking)
    if as_json:
        print_json(_documents(ranked, unranked, statistics))
    else:
        print_table(_table(ranked, unranked, statistics))
    return Exit.DONE


def _read_rows(data: bytes, problems: Problems) -> list[Row]:
    """Return the rows of a JSON list, noting what is wrong with any."""
    try:
        elements = list(decode(data, GROUND_TRUTH_LIMITS).elements(problems))
    except RefusedFile as refused:
        problems.add(refused.problem)
        return []
    rows = [_row(element, problems) for element in elements if element.value is not UNDECODABLE]
    return [row for row in rows if row is not None]


def _row(element: Element, problems: Problems) -> Row | None:
    value, path = element.value, element.path
    if not isinstance(value, dict):
        problems.add(Problem(
            Code.NOT_AN_OBJECT, path, shown(value), "a row (object)",
            'Write each row as {"model_name": "…", "cvs_acc": 0.9, …}.',
        ))  # fmt: skip
        return None
    name = value.get("model_name")
    if not isinstance(name, str) or not name.strip():
        problems.add(Problem(
            Code.MISSING_FIELD, f"{path}.model_name", shown(name), "a model name",
            "Give each row a model_name.",
        ))  # fmt: skip
        return None
    row: dict[str, str | float | None] = {"model_name": name}
    for metric in METRIC_KEYS:
        number = value.get(metric)
        if number is not None and not _is_number(number):
            problems.add(Problem(
                Code.WRONG_TYPE, f"{path}.{metric}", shown(number), "a number or null",
                "Write the value as a number; null where it is missing.",
            ))  # fmt: skip
        else:
            row[metric] = number
    return row


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _documents(
    ranked: Sequence[RankedRow],
    unranked: Sequence[str],
    statistics: Sequence[RankStatistics] | None,
) -> list[dict[str, object]]:
    """Return the rows for JSON; each has its statistics, or null, where any were asked for."""
    rows = [*map(_plain, ranked), *map(_plain_unranked, unranked)]
    if statistics is not None:
        for row, found in zip_longest(rows, statistics):
            row["statistics"] = found and asdict(found)
    return rows


def _plain(row: RankedRow) -> dict[str, object]:
    return {key: value for key, value in asdict(row).items() if key != "index"}


def _plain_unranked(name: str) -> dict[str, object]:
    """Return the same fields for a row without any value."""
    numbers = dict.fromkeys(("rank", "mean_rank", "first_places", "rank_sum", "relative_sum"))
    return {"model_name": name, **numbers, "ranks": {}, "values": dict.fromkeys(METRIC_KEYS)}


def _table(
    ranked: Sequence[RankedRow],
    unranked: Sequence[str],
    statistics: Sequence[RankStatistics] | None,
) -> Table:
    table = plain_table()
    table.add_column("Rank", justify="right")
    if statistics is not None:
        table.add_column("95 %", style="dim")
        table.caption = f"{_MAY_BE_BEST} may be the best"
    table.add_column("Model", overflow="fold")
    for name in ("Mean rank", "Firsts", *(metric.label for metric in METRICS)):
        table.add_column(name, justify="right")
    for row, found in zip_longest(ranked, statistics or ()):
        table.add_row(
            str(row.rank),
            *([_rank_interval(found)] if found else []),
            Text(row.model_name),
            f"{row.mean_rank:.2f}",
            str(row.first_places),
            *(_value(row.values[metric]) for metric in METRIC_KEYS),
        )
    for name in unranked:
        interval = [] if statistics is None else [""]
        missing = [_value(None) for _ in METRIC_KEYS]
        table.add_row(NO_RANK, *interval, Text(name), NO_RANK, NO_RANK, *missing)
    return table


def _rank_interval(found: RankStatistics) -> str:
    """Return "2 to 4" with a mark where the entry may be the best; one rank where it is sure."""
    sure = found.rank_low == found.rank_high
    text = str(found.rank_low) if sure else f"{found.rank_low} to {found.rank_high}"
    return f"{text} {_MAY_BE_BEST}" if found.may_be_best else text


def _value(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
