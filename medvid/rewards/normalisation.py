"""Logistic normalisation by source and task, so that no source's scale decides (SPEC 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from medvid.benchmark.statistics.normalised import Percentiles, percentiles
from medvid.benchmark.tasks import Task, task_of

_FIELD: Final = "medvid_percentiles"
_VERSION: Final = 1
_CURE: Final = "write the file with 'medvid score --per-sample'"


class InvalidPercentiles(ValueError):
    """A file of percentiles, or the per-sample file they are fitted on, cannot be used."""


Spreads = Mapping[tuple[str, Task], Percentiles]
"""By source and task."""


def fit(lines: Iterable[Mapping[str, Any]], scoring: str) -> Spreads:
    """Return the spreads of a baseline's per-sample file ('medvid score --per-sample').

    Its lines have the values as `reward`; summaries and region captions have none (null): judge and
    similarity are from 0 to 1 by themselves. Raises InvalidPercentiles for another file.
    """
    values: dict[tuple[str, Task], list[float]] = {}
    for number, line in enumerate(lines, 1):
        try:
            task, rewards = task_of(str(line["qa_type"])), line["reward"]
            value = None if rewards is None else float(rewards[scoring])
            source = str(line["source"])
        except (KeyError, TypeError, ValueError):
            task = None
        if task is None:
            raise InvalidPercentiles(f"Line {number} has no reward values: {_CURE}.")
        if value is not None:
            values.setdefault((source, task), []).append(value)
    if not values:
        raise InvalidPercentiles(f"It holds no rewards: {_CURE}.")
    return {key: percentiles(found) for key, found in sorted(values.items())}


def dump(spreads: Spreads, scoring: str) -> bytes:
    """Return spreads as a file."""
    rows = [{"source": source, "task": task.value, "p50": spread.p50, "iqr": spread.iqr}
            for (source, task), spread in spreads.items()]  # fmt: skip
    document = {_FIELD: _VERSION, "scoring": scoring, "spreads": rows}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@cache
def load(path: Path, scoring: str) -> Spreads:
    """Read a file of percentiles, once a process; raises InvalidPercentiles."""
    try:
        document = orjson.loads(path.read_bytes())
        fitted, rows = document["scoring"], document["spreads"]
        spreads = {
            (row["source"], Task(row["task"])): Percentiles(float(row["p50"]), float(row["iqr"]))
            for row in rows
        }
    except OSError as error:
        raise InvalidPercentiles(f"Cannot read {path}: {error.strerror}.") from None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise InvalidPercentiles(f"{path} is not made by 'medvid rewards fit'.") from None
    if fitted != scoring:
        raise InvalidPercentiles(f"{path} was fitted on {fitted} values, rewards are {scoring}.")
    return spreads
