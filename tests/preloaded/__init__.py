"""Processes that are forked from one that has already imported what they need.

Importing is most of what starting a service costs (0.6 to 1.1 s of a processor). A child does what
`python -m MODULE ARGUMENTS` does, with an environment, a folder and files of its own, and it dies
with whoever asked for it. `tests/integration/test_modules.py` starts each by `python -m`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Self

ROOT: Final = Path(__file__).parents[2]
FOLDER_VARIABLE: Final = "MEDVID_TEST_SERVERS"
NOTHING: Final = subprocess.DEVNULL
_START_SECONDS: Final = 120
_END_SECONDS: Final = 60

Stream = int | IO[bytes] | None


class Preloaded:
    """The process that the others are forked from; it lives until its input ends, or `close`."""

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        """`folder`: a short path, where its socket is made. `env`: added to its environment."""
        self.path = folder / "preloaded"
        self._log = folder / "preloaded.log"
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.launch(subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        process.wait(_END_SECONDS)

    def launch(self, alive: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it; it ends with its input `alive`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, "-m", "tests.preloaded", str(self.path)],
                cwd=ROOT, env=self._env, stdin=alive, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self.path.exists():
            assert self._process.poll() is None, self._log.read_text("utf-8", "replace")
            assert time.monotonic() < deadline, "the preloaded process does not come up"
            time.sleep(0.02)
        return self._process


def of_this_run() -> Path:
    """Return the socket of the one that this run's tests share; who first asks starts it."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    with (folder / "preloaded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        preloaded = Preloaded(folder)
        if not preloaded.path.exists():
            with (folder / "alive").open("rb") as alive:
                process = preloaded.launch(alive)
            process.returncode = 0  # it lives on; Popen would warn about that
    return preloaded.path


class Forked:
    """A process with the methods of `subprocess.Popen`, of which those that wait are coroutines."""

    def __init__(self, connection: socket.socket, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._connection = connection
        self._pidfd = pidfd
        self._status: int | None = None

    def __del__(self) -> None:
        if self._status is None:
            self._close()

    def _close(self) -> None:
        self._connection.close()
        os.close(self._pidfd)

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative where a signal ended it; None while it runs."""
        if self._status is None:
            self._receive()
        return self._status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def ended(self) -> int:
        """Block until it has ended, which must be soon; returns its exit status."""
        if self._status is None:
            self._connection.settimeout(_END_SECONDS)
            self._receive()
        assert self._status is not None
        return self._status

    async def wait(self) -> int:
        """Return its exit status once it has ended."""
        loop = asyncio.get_running_loop()
        while self.returncode is None:
            handle, told = os.dup(self._connection.fileno()), asyncio.Event()
            loop.add_reader(handle, told.set)  # of its own: several may wait
            try:
                await told.wait()
            finally:
                loop.remove_reader(handle)
                os.close(handle)
        assert self._status is not None
        return self._status

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return all that it wrote to its pipes, once it has ended."""

        async def rest(stream: asyncio.StreamReader | None) -> bytes:
            return await stream.read() if stream is not None else b""

        out, err, _ = await asyncio.gather(rest(self.stdout), rest(self.stderr), self.wait())
        return out, err

    def _receive(self) -> None:
        try:
            told = self._connection.recv(64)
        except BlockingIOError:
            return
        self._status = int(told) if told else -signal.SIGKILL  # without its parent it dies
        self._close()


def fork(
    module: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    preloaded: Path | None = None,
) -> Forked:
    """Start `python -m module arguments`; streams are files, as for `subprocess`, but no pipes.

    `preloaded`: the socket of another than this run's.
    """
    asked: dict[str, Any] = {
        "module": module, "arguments": arguments, "cwd": str(cwd),
        "env": dict(os.environ if env is None else env),
    }  # fmt: skip
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    connection.settimeout(_START_SECONDS)
    connection.connect(str(preloaded or of_this_run()))
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [
            own if given is None else nothing if given == NOTHING else _number(given)
            for own, given in enumerate((stdin, stdout, stderr))
        ]
        socket.send_fds(connection, [json.dumps(asked).encode()], streams)
    finally:
        os.close(nothing)
    told, pidfds, _, _ = socket.recv_fds(connection, 64, 1)
    assert told, "the preloaded process ended"
    connection.setblocking(False)
    return Forked(connection, int(told), pidfds[0])


def _number(stream: int | IO[bytes]) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


async def forked(module: str, *arguments: str, **options: Any) -> Forked:
    """Start it, without holding up what runs on this loop while the first one waits for imports."""
    if options.get("preloaded") is None:
        options["preloaded"] = await asyncio.to_thread(of_this_run)
    return fork(module, *arguments, **options)


@contextlib.asynccontextmanager
async def process_of(module: str, environment: Mapping[str, str]) -> AsyncIterator[Forked]:
    """Run it with these variables added to the environment; it is asked to end with the block."""
    process = await forked(module, env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def with_pipes(module: str, *arguments: str, env: Mapping[str, str]) -> Forked:
    """Start it without input; what it writes is read as it comes."""
    read, write = zip(*(os.pipe() for _ in range(2)), strict=True)
    process = await forked(
        module, *arguments, env=env, stdin=NOTHING, stdout=write[0], stderr=write[1]
    )
    for number in write:
        os.close(number)
    process.stdout, process.stderr = [await _reader(number) for number in read]
    return process


async def _reader(number: int) -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(number, "rb", 0)
    )
    return reader
