"""`medvid admin load-ground-truth`: a ground truth file into the database."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import typer

from medvid.benchmark.disclosure import never_shown
from medvid.benchmark.ground_truth import InvalidGroundTruth, load_ground_truth
from medvid.benchmark.unpacking import unpack
from medvid.cli.printing import problem_line
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.ground_truths import make_current
from services.operate.database import run_on_database
from shared.runtime.errors import InvalidInput
from shared.storage.database import Database
from shared.storage.ground_truths import add_ground_truth

_LARGEST_BYTES: Final = 1 << 30


def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON or JSON.gz")],
) -> int:
    """Load a ground truth file and make it the active one for new submissions."""
    data = file.read_bytes()
    return run_on_database(lambda database: store_ground_truth(database, data, str(file)))


async def store_ground_truth(database: Database, data: bytes, name: str) -> str:
    """Check and activate a ground truth file (JSON, perhaps gzip); return what was done."""
    try:
        truth = load_ground_truth(data)
    except InvalidGroundTruth as error:
        lines = [f"{name}: {error.problem_count} problems.", *map(problem_line, error.problems)]
        raise InvalidInput("\n".join(lines)) from error
    content = bytes(unpack(data, _LARGEST_BYTES))
    action = AdminAction.of("operator", "loaded on the command line", f"cli-{uuid4()}")
    async with database.transaction() as transaction:
        new = await add_ground_truth(
            transaction,
            version=truth.version,
            packed=gzip.compress(content, 6, mtime=0),
            samples=len(truth),
        )
        await make_current(transaction, truth.version, action)
    state = "loaded" if new else "was loaded before"
    said = f"Ground truth {truth.version[:12]} {state}: {len(truth)} samples, now active."
    return " ".join(filter(None, (said, never_shown(truth.samples).capitalize())))
