"""One Postgres server on one data folder: found or started, watched, stopped.

Whether a server lives is asked of the system, not of `postmaster.pid`: after a kill -9 that file
names a process that is gone, that was not reaped yet (a zombie), or that is another process by
now. Postgres itself takes the last two for a server and refuses to start.
"""

# ruff: noqa: S603 - every command here is fixed

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

_POLL_SECONDS: Final = 0.02
_GIVE_UP_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.2
_ORPHAN_SECONDS: Final = 1.0
_STOPS: Final = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""In order, at once, by force; each with the time it gets."""
_STATUS_LINE: Final = 7
_PROC: Final = Path("/proc")
_log = structlog.get_logger(__name__)


class DidNotStart(Exception):
    """The server ends before it is ready; the text is the end of its log."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What is needed to run a server. `user`: whom it runs as, where not as ourselves."""

    folder: Path
    program: Path
    socket_dir: Path
    user: str | None


class Postmaster:
    """A server process; nothing runs before `ensure_running`."""

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self._child: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None
        self.was_found = False

    @property
    def socket_dir(self) -> Path:
        """Where its Unix socket is."""
        return self._installed.socket_dir

    async def ensure_running(self) -> None:
        """Return once a server is ready: one that already runs, or one that is started.

        One that recovers from a crash is waited for as long as that takes. Raises DidNotStart,
        OSError.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _GIVE_UP_SECONDS
        while True:
            if await self._take_over() or await self._start():
                return
            if loop.time() > give_up:
                raise DidNotStart(self._log_tail())
            await asyncio.sleep(_PAUSE_SECONDS)

    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        if self._child is not None:
            return self._child.poll() is None
        return self.pid is not None and _serves(self.pid, self._installed.folder)

    def is_ending(self) -> bool:
        """Whether it takes no connections any more, but waits for those there are to be closed.

        So it is after a SIGTERM, until the last connection is closed.
        """
        return self._recorded() == (self.pid, "stopping")

    async def stop(self) -> None:
        """End the server on the folder in order, by force where that takes too long; idempotent."""
        self._find()
        for number, seconds in _STOPS:
            if self.pid is None or not self.is_alive():
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended()
        self._child = self.pid = None

    async def _ended(self) -> None:
        while self.is_alive():  # noqa: ASYNC110 - the system has no event for it
            await asyncio.sleep(_POLL_SECONDS)

    def leave(self) -> None:
        """Let it go on without us."""
        if self._child is not None and self._child.poll() is None:
            self._child.returncode = 0  # or Python complains that it runs
        self._child = self.pid = None

    def _find(self) -> bool:
        """Turn to the server that runs on the folder; False where there is none."""
        pid, _ = self._recorded()
        if pid is None or not _serves(pid, self._installed.folder):
            return False
        if pid != self.pid:
            self.leave()
            self.pid = pid
        return True

    async def _take_over(self) -> bool:
        """Use the server that runs on the folder; False where there is none, or it ends."""
        if not self._find():
            return False
        if self.is_ending():
            await self.stop()
            return False
        self.was_found = await self._is_ready()
        return self.was_found

    async def _start(self) -> bool:
        """Start a server; False where it ends before it is ready."""
        self.was_found = False
        await self._clear_away()
        self._child = self._launch()
        self.pid = self._child.pid
        return await self._is_ready()

    def _launch(self) -> subprocess.Popen[bytes]:
        where = self._installed
        argv: list[Path | str] = [where.program, "-D", where.folder, "-h", "", "-k"]
        with (where.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*argv, where.socket_dir],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop it when all else has ended
                **identity(where.user),
            )

    async def _is_ready(self) -> bool:
        """Wait until the server takes connections; False where it ends before."""
        while self.is_alive():
            if self._recorded() == (self.pid, "ready"):
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _clear_away(self) -> None:
        """Remove what a killed server left: children that still hold its memory, and lock files.

        Without their server they can do nothing more, and the next one refuses to start beside
        them. Lock files go only where it is certain that no server runs.
        """
        folder = self._installed.folder
        orphans, certain = _processes_on(folder)
        for number in (signal.SIGQUIT, signal.SIGKILL):
            for pid in orphans:
                _log.warning("embedded_postgres_orphan", pid=pid, signal=number.name)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ORPHAN_SECONDS):
                    while orphans:
                        await asyncio.sleep(_POLL_SECONDS)
                        orphans, certain = _processes_on(folder)
        if certain and not orphans:
            (folder / "postmaster.pid").unlink(missing_ok=True)
            (self._installed.socket_dir / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def _recorded(self) -> tuple[int | None, str]:
        """Return process and status as the server wrote them, as far as they are written."""
        try:
            lines = (self._installed.folder / "postmaster.pid").read_text("utf-8").splitlines()
            return int(lines[0]), lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
        except (FileNotFoundError, IndexError, ValueError):
            return None, ""

    def _log_tail(self) -> str:
        try:
            text = (self._installed.folder / "log").read_text("utf-8", "replace")
        except OSError as error:
            return str(error)
        return " / ".join(_causes(text.splitlines()[-20:])) or "it says nothing"


async def end_server(folder: Path) -> None:
    """End the server that a killed process left on a folder, if there is one."""
    folder = await asyncio.to_thread(folder.resolve)
    await Postmaster(Installed(folder, Path(), Path(), None)).stop()


def _causes(lines: Sequence[str]) -> list[str]:
    """Return the lines of a log that tell why it ended, once each."""
    shown = [
        line.partition("] ")[2] or line
        for line in lines
        if any(word in line for word in ("FATAL", "PANIC", "ERROR", "could not"))
    ]
    return list(dict.fromkeys(shown))[-3:]


def identity(user: str | None) -> dict[str, Any]:
    """Return the arguments that make a child run as this user, without the parent's groups."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _serves(pid: int, folder: Path) -> bool:
    """Return whether a process is a living Postgres on this folder."""
    if not _PROC.is_dir():  # not Linux: no more can be known
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    return _is_on(pid, folder) is not False


def _processes_on(folder: Path) -> tuple[list[int], bool]:
    """Return the Postgres processes on this folder, and whether these are certainly all."""
    if not _PROC.is_dir():
        return [], False
    found = {pid: _is_on(pid, folder) for pid in _all_processes()}
    return [pid for pid, there in found.items() if there], None not in found.values()


def _all_processes() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _is_on(pid: int, folder: Path) -> bool | None:
    """Tell whether a process is a live Postgres in this folder; None where we may not know."""
    try:
        name, _, rest = (_PROC / str(pid) / "stat").read_text().partition("(")[2].rpartition(")")
        if name != "postgres" or rest.split()[0] in "ZX":
            return False
        return Path(os.readlink(_PROC / str(pid) / "cwd")) == folder
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has just ended
    except PermissionError:
        return None
