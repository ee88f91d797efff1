"""Child processes that die with the process that started them."""

# ruff: noqa: S603 - every command here is ours

from __future__ import annotations

import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.patience import HANG_SECONDS

LOOPBACK: Final = "127.0.0.1"
_START_SECONDS: Final = HANG_SECONDS


class ServerError(Exception):
    """A server did not start or did not answer; the text holds the end of its log."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process with its log; it dies with us, even when we are killed."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether it was launched and has not ended."""
        return self._child is not None and self._child.poll() is None

    def launch(
        self, argv: list[str], *, env: dict[str, str] | None = None, user: str | None = None
    ) -> None:
        # The kernel sends the death signal when the starting *thread* ends, so a worker thread
        # would take the server with it.
        assert threading.current_thread() is threading.main_thread(), "launch from the main thread"
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                drop_to(user) + argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C on the terminal reaches the tests, not the servers
            )

    def end(self, signal_number: int, *, seconds: float = 30) -> None:
        """Send the signal and wait; a server that does not obey is killed."""
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(signal_number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def await_ready(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            assert self._child is not None
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{what} did not start; the end of its log:\n{self.log_tail()}")
            time.sleep(0.05)

    def log_tail(self) -> str:
        text = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        return text[-3000:]


def drop_to(user: str | None) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        assert user is None, "running as root needs setpriv (Debian's util-linux)"
        return []
    argv = [setpriv, "--pdeathsig", "KILL"]
    if user is not None:
        entry = pwd.getpwnam(user)
        argv += ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
    return [*argv, "--"]
