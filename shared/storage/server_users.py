"""Who uses the server on a data folder: the last one to leave stops it.

The kernel counts: each user holds a shared lock, which goes with its process however
that dies. The file names the server that is stopped so; one that a version without these locks
started is left to that version.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TextIO

import structlog

_LOCK_SECONDS: Final = 0.05
_TELL_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


class ServerUsers:
    """Our place among the users of a server. All but `alone` and `opened` needs `alone`."""

    def __init__(self, folder: Path, file: TextIO) -> None:
        self._folder = folder
        self._file = file

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[ServerUsers]:
        """Open the file beside the folder; leaves the users when closed. Raises OSError."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _open(folder.with_name(f"{folder.name}.users")) as file:
            yield cls(folder, file)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep other processes from starting, joining, leaving or stopping the server."""
        with _open(self._folder.with_name(f"{self._folder.name}.lock")) as lock:
            tell_at = asyncio.get_running_loop().time() + _TELL_SECONDS
            while not _locked(lock, fcntl.LOCK_EX):
                await asyncio.sleep(_LOCK_SECONDS)
                if asyncio.get_running_loop().time() > tell_at:
                    _log.warning("embedded_postgres_in_other_hands", folder=str(self._folder))
                    tell_at += 6 * _TELL_SECONDS
            yield

    def join(self) -> bool:
        """Become a user; False where others use a server that we cannot see.

        It runs in another container, say. To start one of our own beside it would destroy the data.
        """
        others = not _locked(self._file, fcntl.LOCK_EX)
        _locked(self._file, fcntl.LOCK_SH)
        _, where = self._written()
        return not others or where in ("", _pid_namespace())

    def leave(self) -> bool:
        """Leave the users; returns whether there is no other."""
        if _locked(self._file, fcntl.LOCK_EX):
            return True
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return False

    def write(self, pid: int | None) -> None:
        """Leave the server to its last user."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{pid} {_pid_namespace()}\n")
        self._file.flush()

    def is_written(self, pid: int | None) -> bool:
        """Tell whether this server is left to its last user."""
        return self._written() == (str(pid), _pid_namespace())

    def _written(self) -> tuple[str, str]:
        self._file.seek(0)
        pid, _, where = self._file.read().strip().partition(" ")
        return pid, where


def _open(path: Path) -> TextIO:
    """Open a lock file; one that root makes belongs to whom the folder belongs to."""
    file = path.open("a+")
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with contextlib.suppress(OSError):
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    return file


def _locked(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_namespace() -> str:
    """Name the world in which our process ids mean something."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return "-"
