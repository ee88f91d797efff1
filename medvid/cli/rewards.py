"""`medvid rewards fit`: what normalises rewards, from a baseline's per-sample file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from medvid.api.uploads import UnreadableFile
from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS
from medvid.cli.files import read_file
from medvid.cli.printing import Exit
from medvid.rewards import normalisation


def fit(
    per_sample: Annotated[Path, typer.Argument(help="of 'medvid score --per-sample'")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the file of percentiles to write")],
    scoring: Annotated[
        Literal["compat", "strict"], typer.Option(help="the values that rewards will have")
    ] = "compat",
) -> int:
    """Fit the normalisation of rewards on a baseline: median and quartiles by source and task."""
    content = read_file(per_sample, GROUND_TRUTH_LIMITS.unpacked_bytes)
    try:
        spreads = normalisation.fit(map(orjson.loads, content.splitlines()), scoring)
    except ValueError as error:
        raise UnreadableFile(str(error)) from None
    out.write_bytes(normalisation.dump(spreads, scoring))
    print(f"{len(spreads)} pairs of source and task are in {out}.")
    for (source, task), spread in spreads.items():
        if spread.iqr == 0:
            print(f"{source}, {task}: half of the values are equal, so its reward is always 0.5.")
    return Exit.DONE
