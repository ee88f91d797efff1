"""Versions of the ground truth: listed, loaded, chosen. Their content is never served."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from medvid.benchmark.ground_truth import InvalidGroundTruth, load_ground_truth
from medvid.benchmark.report import Problem
from medvid.benchmark.unpacking import unpack
from medvid.models.administration import GroundTruthView, LoadedView
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.operations_models import ground_truth
from services.gateway.web.errors import RefusedBody
from shared.runtime.errors import InvalidInput, NotFound, Unavailable
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout
from shared.storage.database import Database, Transaction, transient_errors
from shared.storage.ground_truths import add_ground_truth, choose_ground_truth
from shared.storage.queries import load_queries

LARGEST_FILE: Final = 64 << 20
"""Bytes of a ground truth file as it is sent."""
_LARGEST_UNPACKED: Final = 1 << 30
_CHECK_SECONDS: Final = 120.0
_SQL: Final = load_queries(__package__, "ground_truths.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    version: str
    packed: bytes
    samples: int


class GroundTruths:
    """Loads and chooses ground truth versions. Files are checked in worker processes."""

    def __init__(self, database: Database, pool: WorkerPool, folder: Path | None) -> None:
        self._database = database
        self._pool = pool
        self._folder = folder

    async def all(self) -> list[GroundTruthView]:
        """Return every version, the one loaded or chosen last first; raises Transient."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["ground_truths"])
        return [ground_truth(dict(row)) for row in rows]

    async def load(self, data: bytes, action: AdminAction, *, current: bool) -> LoadedView:
        """Check and store a file (JSON, perhaps gzip), and make it current if asked.

        Raises RefusedBody with the file's problems, Unavailable, Transient.
        """
        read = await self._read(data)
        async with transient_errors(), self._database.transaction() as transaction:
            new = await add_ground_truth(
                transaction, version=read.version, packed=read.packed, samples=read.samples
            )
            subject = Subject("ground_truth", read.version)
            if new:
                await record(transaction, action, "load", subject, after={"samples": read.samples})
            if current:
                await make_current(transaction, read.version, action)
        _log.info("ground_truth_loaded", version=read.version[:12], new=new, who=action.who)
        return LoadedView(version=read.version, samples=read.samples, new=new, current=current)

    async def reload(self, name: str, action: AdminAction, *, current: bool) -> LoadedView:
        """Load a file of the server's own folder; raises InvalidInput, NotFound and as `load`."""
        if self._folder is None:
            raise InvalidInput(
                "this server loads no files of its own.",
                fix="Send the file, or set MEDVID_GROUND_TRUTH_DIR.",
                code="no_ground_truth_folder",
            )
        data = await asyncio.to_thread(_read_file, self._folder, name)
        return await self.load(data, action, current=current)

    async def choose(self, version: str, action: AdminAction) -> bool:
        """Make a version the one that uploads are checked against; False where it was.

        Raises NotFound, Transient.
        """
        async with transient_errors(), self._database.transaction() as transaction:
            return await make_current(transaction, version, action)

    async def _read(self, data: bytes) -> _Read:
        try:
            read = await self._pool.run(_check, data, timeout=_CHECK_SECONDS)
        except (WorkerCrashed, WorkerTimeout) as error:
            raise Unavailable("the check of the file failed.", fix="Try again.") from error
        if isinstance(read, _Read):
            return read
        raise RefusedBody(read)


async def make_current(transaction: Transaction, version: str, action: AdminAction) -> bool:
    """Make a version current, with its audit line; False where it was. Raises NotFound."""
    rows = await transaction.connection.fetch(_SQL["ground_truth_lock"])
    if version not in {row["version"] for row in rows}:
        raise ground_truth_not_found()
    before = next((row["version"] for row in rows if row["active"]), None)
    if before == version:
        return False
    await choose_ground_truth(transaction, version)
    await record(
        transaction, action, "choose", Subject("ground_truth", version),
        before={"current": before}, after={"current": version},
    )  # fmt: skip
    _log.info("ground_truth_chosen", version=version[:12], who=action.who)
    return True


def ground_truth_not_found() -> NotFound:
    """Return the answer for a version that is not there."""
    return NotFound(
        "there is no such ground truth version.",
        fix="GET /api/v1/admin/ground-truths lists them.",
        code="ground_truth_not_found",
    )


def _check(data: bytes) -> _Read | list[Problem]:
    """Read a file (in a worker); returns its problems where it has any."""
    try:
        truth = load_ground_truth(data)
    except InvalidGroundTruth as error:
        return list(error.problems)
    content = unpack(data, _LARGEST_UNPACKED)
    return _Read(truth.version, gzip.compress(bytes(content), 6, mtime=0), len(truth))


def _read_file(folder: Path, name: str) -> bytes:
    """Return a file of the folder, and of nowhere else."""
    missing = NotFound(
        f"there is no file of this name in the server's folder {folder}.",
        fix="Put it there, and give its name without a path.",
        code="file_not_found",
    )
    if "\0" in name or Path(name).name != name or name in ("", ".", ".."):
        raise missing
    path = (folder / name).resolve()
    if path.parent != folder.resolve() or not path.is_file():
        raise missing
    if path.stat().st_size > LARGEST_FILE:
        raise InvalidInput(
            f"the file has more than {LARGEST_FILE:,} bytes.", fix="Pack it with gzip."
        )
    return path.read_bytes()
