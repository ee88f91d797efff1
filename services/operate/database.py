"""Operator commands that work on the database directly, whether services run or not."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import orjson

from medvid.benchmark.disclosure import never_shown
from medvid.benchmark.ground_truth import InvalidGroundTruth, load_ground_truth
from medvid.benchmark.tasks import BOARDS
from medvid.benchmark.unpacking import unpack
from medvid.cli.problems import where
from services.gateway.administration.ground_truths import make_current
from services.gateway.administration.imports import BoardFiles
from services.gateway.domain.acts import Act
from services.gateway.http.bodies import RefusedBody
from shared.runtime.errors import InvalidInput, MedvidError
from shared.runtime.logs import configure_logs
from shared.runtime.settings import CommonSettings, load_settings
from shared.storage.database import Database, connect
from shared.storage.embedded import embedded_postgres
from shared.storage.ground_truths import add_ground_truth
from shared.storage.migrate import migrate

_GROUND_TRUTH_BYTES = 1 << 30


def migrate_database() -> int:
    """Apply the migrations that are missing; returns the exit status."""

    async def work(database: Database) -> str:
        applied = await migrate(database)
        return f"{applied} migrations applied." if applied else "The schema is up to date."

    return run_on_database(work, migrated=False)


def load_ground_truth_file(path: Path) -> int:
    """Check a ground truth file, store it and make it active; returns the exit status."""
    data = path.read_bytes()
    return run_on_database(lambda database: store_ground_truth(database, data, str(path)))


async def store_ground_truth(database: Database, data: bytes, name: str) -> str:
    """Check and activate a ground truth file (JSON, perhaps gzip); returns what to tell."""
    try:
        truth = load_ground_truth(data)
    except InvalidGroundTruth as error:
        lines = [
            f"{problem.code} {where(problem)}: found {problem.found}, "
            f"expected {problem.expected}. {problem.fix}"
            for problem in error.problems
        ]
        raise InvalidInput(
            "\n".join([f"{name}: {error.problem_count} problems.", *lines])
        ) from error
    content = bytes(unpack(data, _GROUND_TRUTH_BYTES))
    act = Act.of("operator", "loaded on the command line", f"cli-{uuid4()}")
    async with database.transaction() as transaction:
        new = await add_ground_truth(
            transaction,
            version=truth.version,
            packed=gzip.compress(content, 6, mtime=0),
            samples=len(truth),
        )
        await make_current(transaction, truth.version, act)
    state = "loaded" if new else "was loaded before"
    said = f"Ground truth {truth.version[:12]} {state}: {len(truth)} samples, now active."
    return " ".join(filter(None, (said, never_shown(truth.samples).capitalize())))


def import_board_file(path: Path | None) -> int:
    """Import entries with given scores; returns the exit status."""
    content = path.read_bytes() if path else published_boards()
    return run_on_database(lambda database: store_boards(database, content))


def published_boards() -> bytes:
    """Return the published leaderboards as `{board: [row, ...]}`, JSON."""
    return (files("medvid.benchmark") / "data/published_leaderboards.json").read_bytes()


async def store_boards(database: Database, content: bytes) -> str:
    """Import entries with given scores; returns what to tell."""
    act = Act.of("operator", "imported on the command line", f"cli-{uuid4()}")
    try:
        changes = await BoardFiles(database).apply(
            orjson.loads(content), act, existing="keep", dry_run=False
        )
    except RefusedBody as error:
        lines = [f"{p.path}: found {p.found}, expected {p.expected}" for p in error.problems]
        raise InvalidInput("\n".join(["the board cannot be imported:", *lines])) from error
    kinds = {board: Counter(c.kind for c in changes if c.board == board) for board in BOARDS}
    return "\n".join(
        f"{board}: {count['added']} entries added, {count.total() - count['added']} were there "
        "before."
        for board, count in kinds.items()
        if count
    )


def run_on_database(work: Callable[[Database], Awaitable[str]], *, migrated: bool = True) -> int:
    """Do work on the configured database and print what it tells; returns the exit status."""

    async def main() -> str:
        async with open_database(migrated=migrated) as database:
            return await work(database)

    return run_told(main)


def run_told(main: Callable[[], Awaitable[str]]) -> int:
    """Do work and print what it tells, or what went wrong; returns the exit status."""
    configure_logs("warning", "auto", "admin")  # what was done is told by the command itself

    async def told() -> str:
        return await main()

    try:
        print(asyncio.run(told()))
    except (MedvidError, orjson.JSONDecodeError) as error:
        print(f"medvid: {error}", file=sys.stderr)
        return 1
    return 0


@asynccontextmanager
async def open_database(*, migrated: bool = True) -> AsyncIterator[Database]:
    """Open the configured database, or the embedded one of a standalone installation."""
    async with open_address() as url, open_at(url, migrated=migrated) as database:
        yield database


@asynccontextmanager
async def open_address() -> AsyncIterator[str]:
    """Give the configured database's URL, or that of the embedded one, which then runs."""
    settings = load_settings(CommonSettings)
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    folder = settings.data_dir.absolute() / "postgres"
    async with embedded_postgres(folder, shared=True) as url:
        yield url


@asynccontextmanager
async def open_at(url: str, *, migrated: bool = True) -> AsyncIterator[Database]:
    """Open a database by its URL."""
    async with connect(url, size=2, application_name="medvid-admin") as database:
        if migrated:
            await migrate(database)
        yield database
