"""Fixtures for everyone: a Postgres database and a RabbitMQ virtual host for each test.

One pair of servers serves the whole run, shared by the workers of pytest-xdist and started by the
first test that needs it. It ends with the run, also when the run is killed: its input is a pipe
that this process holds open, or `./scripts/test`, whose runs share one pair.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from shared.storage.database import Database, connect
from tests import depth
from tests.databases import Databases
from tests.patience import HANG_SECONDS
from tests.servers import Management, RabbitControl

TESTS = Path(__file__).parent
_FOLDER_VARIABLE = "MEDVID_TEST_SERVERS"
_RUN_KEY = pytest.StashKey[int]()


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of this test run are."""

    postgres: str
    template: str
    rabbitmq: str
    rabbitmq_tls: str
    rabbitmq_authority: str
    rabbitmq_http: int
    rabbitmq_env: dict[str, str]

    def postgres_url(self, database: str) -> str:
        return self.postgres.replace("{database}", database)

    def rabbit_url(self, vhost: str) -> str:
        return f"{self.rabbitmq}/{vhost}"

    @property
    def management(self) -> Management:
        return Management(self.rabbitmq_http)

    @property
    def control(self) -> RabbitControl:
        return RabbitControl(self.rabbitmq_env)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="also the tests marked 'deep'")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if depth.is_deep():
        return
    left = [item for item in items if item.get_closest_marker("deep")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]


def pytest_collection_finish() -> None:
    """What was imported stays: to look through it at each collection was an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--deep"):
        os.environ[depth.VARIABLE] = "yes"
    if hasattr(config, "workerinput") or _FOLDER_VARIABLE in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="medvid-tests-")
    os.mkfifo(f"{folder}/alive")
    config.stash[_RUN_KEY] = os.open(f"{folder}/alive", os.O_RDWR)
    os.environ[_FOLDER_VARIABLE] = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    if _RUN_KEY not in config.stash:
        return
    os.close(config.stash[_RUN_KEY])  # the servers see the end of their input
    folder = Path(os.environ.pop(_FOLDER_VARIABLE))
    if (folder / "pid").exists():
        _await_end(int((folder / "pid").read_text()))
    shutil.rmtree(folder, ignore_errors=True)


def _await_end(pid: int) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        with suppress(ChildProcessError):  # when it is a worker's child, not ours
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """What a test set up for logs, such as a command run in this process, ends with it.

    By default every traceback is drawn with the local variables of each frame: half a second of a
    processor, and more than all else that some tests do.
    """
    structlog.configure(
        [
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.dev.set_exc_info,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(autouse=True)
def what_is_the_same_is_kept(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services of these suites start with what others left; what that promises, others test."""
    if request.path.relative_to(TESTS).parts[0] in ("acceptance", "integration"):
        from tests.kept import keep

        keep(monkeypatch)


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The servers, started by whoever asks first."""
    folder = Path(os.environ[_FOLDER_VARIABLE])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "urls.json").exists():
            (folder / "urls.json").write_text(_start(folder))
    return Servers(**json.loads((folder / "urls.json").read_text()))


def _start(folder: Path) -> str:
    with (folder / "alive").open("rb") as alive, (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.servers"],
            cwd=Path(__file__).parent.parent,
            stdin=alive,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(child.pid))
    assert child.stdout is not None
    with child.stdout as output:
        line = output.readline().decode()
    if not line:
        pytest.exit(f"the test servers did not start:\n{(folder / 'log').read_text()}", 3)
    child.returncode = 0  # it lives on; Popen would warn about that
    return line


@pytest.fixture(scope="session")
def databases(servers: Servers) -> Iterator[Databases]:
    """The databases of this test process."""
    with Databases(servers.postgres, servers.template) as databases:
        yield databases


@pytest.fixture
def postgres_url(servers: Servers, databases: Databases) -> Iterator[str]:
    """A database of this test's own, with the schema."""
    name = databases.take()
    yield servers.postgres_url(name)
    databases.give_back(name)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A pool on a database of this test's own."""
    async with connect(postgres_url, size=10, application_name="test") as database:
        yield database


@pytest.fixture
def rabbit_vhost(servers: Servers) -> Iterator[str]:
    """The name of a virtual host of this test's own."""
    name = f"test-{uuid4().hex[:12]}"
    servers.management.add_vhost(name)
    yield name
    servers.management.remove_vhost(name)


@pytest.fixture
def rabbit_url(servers: Servers, rabbit_vhost: str) -> str:
    """The URL of a virtual host of this test's own."""
    return servers.rabbit_url(rabbit_vhost)


@pytest.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """Fails a test that leaves tasks behind."""
    before = asyncio.all_tasks()
    yield
    deadline = time.monotonic() + HANG_SECONDS
    while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        assert time.monotonic() < deadline, f"left behind: {left}"
        await asyncio.sleep(0.01)
