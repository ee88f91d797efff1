"""`medvid sample`: a fixed subset of a test set, for quick runs while developing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvid.benchmark import subsets
from medvid.cli.files import read_test_set
from medvid.cli.parameters import JSON_OR_GZIP
from medvid.cli.printing import Exit


def sample(
    test_set: Annotated[Path, typer.Argument(help=f"test set or ground truth, {JSON_OR_GZIP}")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the subset file to write")],
    per_type: Annotated[int, typer.Option(min=1, help="samples of each qa_type at most")] = 20,
    seed: Annotated[int, typer.Option(help="another seed draws other samples")] = 0,
) -> int:
    """Draw a fixed subset, for `medvid predict --subset` and `medvid score --subset`.

    The draw follows from the seed and the samples alone; a larger one holds the smaller one.
    """
    items = read_test_set(test_set).items
    indices = subsets.draw(items, per_type, seed)
    described = {"of": len(items), "per_qa_type": per_type, "seed": seed}
    out.write_bytes(subsets.dump(items, indices, described))
    print(f"{len(indices):,} of {len(items):,} samples are in {out}.")
    return Exit.DONE
