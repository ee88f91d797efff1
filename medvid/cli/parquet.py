"""A board's CSV as Parquet: the same columns and values, with types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.cli.failures import CommandFailed
from medvid.spreadsheets import read_rows, text_of

_Read = Callable[[str], object]
_WHOLE: Final = (
    "rank", "rank_low", "rank_high", "view_rank", "parameters", "active_parameters", "frames",
)  # fmt: skip
_DATES: Final = ("submitted_on", "verified_on", "released_on")
_TRUTHS: Final = ("may_be_best", "open_weights", "uses_test_videos")
_NUMBERS: Final = (
    "first_share", "mean_rank", "view_mean_rank", "usd_per_sample", "seconds_per_sample",
    *METRIC_KEYS,
    *(f"{key}_{end}" for key in METRIC_KEYS for end in ("low", "high")),
)  # fmt: skip
_TEXTS: Final = (
    "model_name", "organization", "team", "authors", "model_url", "track", "badges", "entry_id",
    "series", "not_ranked", "licence", "base_model", "access", "resolution", "trained_on",
)  # fmt: skip


def write_parquet(table: str, file: Path, about: Mapping[str, str]) -> int:
    """Write a board's CSV as a Parquet file, `about` into its metadata; return its rows.

    Raises CommandFailed where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise CommandFailed(
            "pyarrow is not installed.", fix="Install medvid with the extra 'parquet'."
        ) from None
    names, *rows = (cells for _, cells in read_rows(table))
    types: dict[_Read, Any] = {
        int: pa.int64(), float: pa.float64(), date.fromisoformat: pa.date32(),
        _truth: pa.bool_(), text_of: pa.string(),
    }  # fmt: skip
    columns = {}
    for place, name in enumerate(names):
        cells = [row[place] for row in rows]
        read = _reader(name, cells)
        values = [read(cell) if cell else None for cell in cells]
        columns[name] = pa.array(values, types[read])
    found = pa.table(columns).replace_schema_metadata({k: v for k, v in about.items() if v})
    parquet.write_table(found, file)
    return len(rows)


def _reader(name: str, cells: Sequence[str]) -> _Read:
    """Return what reads a column; one that this version does not know is read by its cells."""
    known: dict[str, _Read] = {
        **dict.fromkeys(_WHOLE, int),
        **dict.fromkeys(_DATES, date.fromisoformat),
        **dict.fromkeys(_NUMBERS, float),
        **dict.fromkeys(_TRUTHS, _truth),
        **dict.fromkeys(_TEXTS, text_of),
    }
    if name in known:
        return known[name]
    filled = [cell for cell in cells if cell]
    return _truth if filled and set(filled) <= {"true", "false"} else text_of


def _truth(cell: str) -> bool:
    return cell == "true"
