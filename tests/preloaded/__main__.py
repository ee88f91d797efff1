# ruff: noqa: SLF001, BLE001 - it does what the interpreter does at its end
"""The process that others are forked from:

    python -m tests.preloaded SOCKET

One thread, one loop. A request names a module; its answers are the child's number, with a handle of
it, and its exit status. A child whose connection closes is killed, and all are when this ends.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing import forkserver, get_context, resource_tracker
from pathlib import Path
from typing import Any, Final

_MODULES: Final = (
    "services.gateway.app",
    "services.scorer.app",
    "services.judge.app", "openai",
    "services.ranker.app",
    "services.standalone", "medvid.cli.main", "medvid.cli.submit", "services.operate.examination",
    "tests.crashing", "tests.fakes.grader", "uvloop",
)  # fmt: skip
_PR_SET_PDEATHSIG: Final = 1
_LONGEST: Final = 1 << 20


def main() -> int:
    """Serve until the input ends."""
    path = Path(sys.argv[1])
    for module in _MODULES:
        import_module(module)
    _share_workers()
    gc.freeze()  # children do not copy what they never change
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{path}.new")
    listener.listen(128)
    Path(f"{path}.new").rename(path)
    _Server(listener).serve()
    return 0


def _share_workers() -> None:
    """Let the workers of all children be forked, too, from one process that has imported theirs.

    As `multiprocessing` has it, that is one for each process that starts workers.
    """
    from shared.runtime import workers

    forkserver.set_forkserver_preload([*_WORKERS])
    forkserver.ensure_running()
    own = forkserver._forkserver
    own.ensure_running = lambda: None  # type: ignore[method-assign]
    resource_tracker._resource_tracker.ensure_running = lambda: None  # type: ignore[method-assign]
    workers._SPAWN = get_context("forkserver")  # type: ignore[assignment,misc]


_WORKERS: Final = (
    "services.gateway.submissions.validation", "services.scorer.evaluation",
    "medvid.benchmark.embedding",
)  # fmt: skip


class _Server:
    """Children by their connection."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._children: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin, selectors.EVENT_READ, self._stop)
        self._woken, wakes = socket.socketpair()
        for each in (self._woken, wakes):
            each.setblocking(False)
        self._wakes = wakes
        self._selector.register(self._woken, selectors.EVENT_READ, self._reap)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        self._serves = True

    def serve(self) -> None:
        while self._serves:
            for key, _ in self._selector.select():
                key.data(key.fileobj)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _stop(self, _: Any) -> None:
        self._serves = False

    def _accept(self, _: Any) -> None:
        connection, _address = self._listener.accept()
        self._selector.register(connection, selectors.EVENT_READ, self._hear)

    def _hear(self, connection: socket.socket) -> None:
        asked, streams, _, _ = socket.recv_fds(connection, _LONGEST, 3)
        if not asked:
            self._left(connection)
            return
        pid = os.fork()
        if pid == 0:
            self._become(json.loads(asked), streams)
        self._children[pid] = connection
        pidfd = os.pidfd_open(pid)
        with contextlib.suppress(OSError):
            socket.send_fds(connection, [str(pid).encode()], [pidfd])
        for number in (pidfd, *streams):
            os.close(number)

    def _left(self, connection: socket.socket) -> None:
        """Whoever asked for a child is gone."""
        for pid, own in self._children.items():
            if own is connection:
                os.kill(pid, signal.SIGKILL)
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        if connection.fileno() >= 0:
            self._selector.unregister(connection)
            connection.close()

    def _reap(self, _: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                connection = self._children.pop(pid, None)
                if connection is not None:
                    with contextlib.suppress(OSError):
                        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
                    self._close(connection)

    def _become(self, asked: dict[str, Any], streams: list[int]) -> None:
        """Be the child, for the rest of its life."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A shell's background job ignores interrupts, and what it starts would, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        self._wakes.close()
        for key in self._selector.get_map().values():
            if key.fileobj is not sys.stdin:
                key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for stream in streams:
            if stream > 2:
                os.close(stream)
        os.chdir(asked["cwd"])
        sys.path[0] = asked["cwd"]
        os.environ.clear()
        os.environ.update(asked["env"])
        module = asked["module"]
        sys.argv = [module, *asked["arguments"]]
        _leave(_status_of(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True)))


def _status_of(run: Callable[[], object]) -> int:
    """Run a program and return its exit status."""
    try:
        run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(status: int) -> None:
    """End this process as the interpreter would, but for what belongs to the parent."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status & 0xFF)


if __name__ == "__main__":
    raise SystemExit(main())
