"""The embedded Postgres: found, started, watched, whatever a kill -9 left behind."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest

from services.operate.database import open_database
from services.standalone import StandaloneSettings, running
from shared.runtime.errors import Misconfigured
from shared.storage.data_folder import CannotBeMade, prepare
from shared.storage.embedded import embedded_postgres, watched_postgres
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.preloaded import with_pipes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder with a row in it, to be copied: to make one takes a second."""
    parent = Path(tempfile.mkdtemp(prefix="medvid-pg-"))

    async def make() -> None:
        async with watched_postgres(parent / "postgres") as server:
            await value(server.url, "CREATE TABLE kept AS SELECT 42 AS number")

    asyncio.run(make())
    yield parent / "postgres"
    shutil.rmtree(parent)


@pytest.fixture
def folder(made: Path) -> Iterator[Path]:
    """A data folder with a path short enough for a socket, whose server is dead afterwards."""
    parent = Path(tempfile.mkdtemp(prefix="medvid-pg-"))
    subprocess.run(["cp", "-a", made, parent], check=True)  # noqa: S603, S607 - ours
    yield parent / "postgres"
    for pid in processes(parent / "postgres"):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(parent)


def processes(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")) == folder:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def within(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split()[0])


async def value(url: str, query: str) -> object:
    """Ask until it answers: the server may just be starting."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.02)
                continue
            try:
                return await connection.fetchval(query)
            finally:
                await connection.close()


async def until_gone(pid: int, folder: Path) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while pid in processes(folder):
            await asyncio.sleep(0.01)


async def test_a_killed_server_is_started_again_at_the_same_address(folder: Path) -> None:
    async with watched_postgres(folder) as server:
        for _ in range(3):
            killed = postmaster(folder)
            os.kill(killed, signal.SIGKILL)
            await until_gone(killed, folder)
            assert await value(server.url, "SELECT number FROM kept") == 42
            assert postmaster(folder) != killed
    assert processes(folder) == []


@deep
async def test_a_server_that_was_left_is_taken_over_and_watched(folder: Path) -> None:
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from shared.storage.embedded import watched_postgres\n"
        "async def main():\n"
        "    async with watched_postgres(Path(sys.argv[1])):\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script, folder], cwd=ROOT, capture_output=True
    )
    left = postmaster(folder)
    async with watched_postgres(folder) as server:
        assert postmaster(folder) == left
        os.kill(left, signal.SIGKILL)
        await until_gone(left, folder)
        assert await value(server.url, "SELECT 1") == 1
        assert postmaster(folder) != left
    assert processes(folder) == []


@contextmanager
def a_zombie() -> Iterator[int]:
    """A process that ended and that nobody has buried, as in a container without an init."""
    child = subprocess.Popen(["true"])  # noqa: S607 - wherever it is
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    yield child.pid
    child.wait()


@pytest.mark.parametrize(
    "what",
    ["zombie"]
    + [
        pytest.param(less, marks=deep)
        for less in ("stranger", "cut off", "gone", "empty", "nonsense")
    ],
)
async def test_what_lock_files_name_after_a_crash_does_not_matter(folder: Path, what: str) -> None:
    async with watched_postgres(folder):
        lines = (folder / "postmaster.pid").read_text().splitlines()
    with a_zombie() as zombie:
        contents = {
            "zombie": [str(zombie), *lines[1:]],
            "stranger": [str(os.getpid()), *lines[1:]],
            "gone": ["4194303", *lines[1:]],
            "empty": [],
            "cut off": [str(os.getpid())],
            "nonsense": ["\0\0\0"],
        }[what]
        text = "".join(f"{line}\n" for line in contents)
        (folder / "postmaster.pid").write_text(text)
        (folder / ".s.PGSQL.5432.lock").write_text(text)
        async with watched_postgres(folder) as server:
            assert await value(server.url, "SELECT number FROM kept") == 42


@deep
async def test_orphans_of_a_killed_server_do_not_hold_up_the_next(folder: Path) -> None:
    """A child that hangs holds the shared memory, beside which no server starts."""
    async with watched_postgres(folder) as server:
        killed = postmaster(folder)
        children = [pid for pid in processes(folder) if pid != killed]
        os.kill(children[0], signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        await until_gone(killed, folder)
        assert await value(server.url, "SELECT number FROM kept") == 42
        assert children[0] not in processes(folder)


@deep
async def test_a_server_that_cannot_start_again_ends_with_the_reason(folder: Path) -> None:
    async with watched_postgres(folder) as server:
        (folder / "global" / "pg_control").unlink()
        os.kill(postmaster(folder), signal.SIGKILL)
        assert server.watch is not None
        with pytest.raises(Misconfigured, match=r"does not start .*pg_control.*MEDVID_DATA_DIR"):
            await server.watch
    with pytest.raises(Misconfigured, match=r"does not start .*pg_control"):
        async with embedded_postgres(folder):
            pass


@deep
async def test_a_folder_that_was_cut_off_in_the_making_is_made_anew(folder: Path) -> None:
    shutil.rmtree(folder)
    unfinished = folder.with_name("postgres.unfinished")
    (unfinished / "base").mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with watched_postgres(folder) as server:
        assert await value(server.url, "SELECT 1") == 1
    assert not unfinished.exists()


@contextmanager
def read_only(parent: Path) -> Iterator[Path]:
    """A folder that nobody can write to: root heeds no permissions, but the kind of a mount."""
    where = parent / "sealed"
    where.mkdir()
    if os.geteuid() != 0:
        where.chmod(0o555)
        yield where
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", where]
    if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603 - ours
        yield Path("/proc")
        return
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)  # noqa: S603, S607 - ours


async def test_a_read_only_data_folder_is_told_in_one_line(tmp_path: Path) -> None:
    with read_only(tmp_path) as sealed:
        for data in (sealed, sealed / "deeper"):
            process = await with_pipes(
                "medvid", "up", env={**os.environ, "MEDVID_DATA_DIR": str(data)}
            )
            async with asyncio.timeout(HANG_SECONDS):
                _, said = await process.communicate()
            assert process.returncode == 2
            (line,) = said.decode().splitlines()
            assert line.startswith(f"medvid: cannot write to the data folder {data}: ")
            assert "MEDVID_DATA_DIR" in line
            with pytest.raises(Misconfigured, match="MEDVID_DATA_DIR"):
                async with embedded_postgres(data / "postgres", shared=True):
                    pass


async def test_a_file_in_the_place_of_the_data_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(Misconfigured, match=r"cannot write to the data folder"):
            async with running(StandaloneSettings(data_dir=data, port=0)):
                pass


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=deep) for first in (1, 2))])
async def test_the_last_user_of_the_server_stops_it(folder: Path, first: int) -> None:
    """An admin command that started it does not stop it under the server that joined."""
    users = [
        embedded_postgres(folder, shared=True),
        watched_postgres(folder),
        embedded_postgres(folder, shared=True),
    ]
    urls = [await user.__aenter__() for user in users]
    started = postmaster(folder)
    assert len({getattr(url, "url", url) for url in urls}) == 1
    for user in (users[first], users[first - 1]):
        await user.__aexit__(None, None, None)
        assert processes(folder)
        assert postmaster(folder) == started
    await users[first - 2].__aexit__(None, None, None)
    assert processes(folder) == []


async def test_a_command_may_open_the_database_again_and_twice_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time it gets a server that runs, not the one that it stopped before."""
    monkeypatch.setenv("MEDVID_DATA_DIR", str(folder.parent))
    monkeypatch.delenv("MEDVID_DATABASE_URL", raising=False)
    for _ in range(2):
        async with open_database(migrated=False) as one:
            assert await one.pool.fetchval("SELECT number FROM kept") == 42
            async with open_database(migrated=False) as other:
                assert await other.pool.fetchval("SELECT number FROM kept") == 42
            assert await one.pool.fetchval("SELECT number FROM kept") == 42
        assert processes(folder) == []


@deep
async def test_a_user_that_is_killed_counts_no_more(folder: Path) -> None:
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from shared.storage.embedded import embedded_postgres\n"
        "async def main():\n"
        "    async with embedded_postgres(Path(sys.argv[1]), shared=True):\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script, folder], cwd=ROOT, capture_output=True
    )
    left = postmaster(folder)
    async with embedded_postgres(folder, shared=True):
        assert postmaster(folder) == left
    assert processes(folder) == []


@deep
async def test_a_server_of_a_version_that_does_not_tell_its_users_is_left(folder: Path) -> None:
    async with watched_postgres(folder):
        folder.with_name("postgres.users").write_text("")
        async with embedded_postgres(folder, shared=True):
            pass
        assert processes(folder)
    assert processes(folder) == []


async def test_several_may_make_the_same_folder_at_once(folder: Path) -> None:
    """So it is when an admin command and the server come first at the same time."""
    shutil.rmtree(folder)
    async with AsyncExitStack() as stack:
        users = [embedded_postgres(folder, shared=True) for _ in range(3)]
        urls = await asyncio.gather(*(stack.enter_async_context(user) for user in users))
        assert [await value(url, "SELECT 1") for url in urls] == [1, 1, 1]
    assert processes(folder) == []


@deep
async def test_nobody_starts_a_second_server_beside_one_in_another_container(folder: Path) -> None:
    """Its processes cannot be seen from here, and postmaster.pid seems to be left over."""
    async with watched_postgres(folder):
        started = postmaster(folder)
        users = folder.with_name("postgres.users")
        assert users.read_text().split()[0] == str(started)
        users.write_text("1 pid:[1]\n")
        with pytest.raises(Misconfigured, match="another container"):
            async with embedded_postgres(folder, shared=True):
                pass
        assert postmaster(folder) == started
    # Nobody uses it any more, wherever that was.
    users.write_text("1 pid:[1]\n")
    async with embedded_postgres(folder, shared=True) as url:
        assert await value(url, "SELECT 1") == 1


@deep
async def test_a_server_that_was_told_to_end_is_started_again(folder: Path) -> None:
    """After a SIGTERM it takes no connections, and waits until ours close, which is never."""
    async with watched_postgres(folder) as server:
        told = postmaster(folder)
        connection = await asyncpg.connect(server.url)
        os.kill(told, signal.SIGTERM)
        await until_gone(told, folder)
        assert await value(server.url, "SELECT number FROM kept") == 42
        connection.terminate()


@deep
async def test_one_that_is_ending_is_not_waited_for(folder: Path) -> None:
    async with watched_postgres(folder) as server:
        left = postmaster(folder)
        assert server.watch is not None
        server.watch.cancel()
        connection = await asyncpg.connect(server.url)
        os.kill(left, signal.SIGTERM)
        async with asyncio.timeout(HANG_SECONDS):
            while "stopping" not in (folder / "postmaster.pid").read_text():
                await asyncio.sleep(0.01)
            async with embedded_postgres(folder, shared=True) as url:
                assert await value(url, "SELECT number FROM kept") == 42
        connection.terminate()


@deep
async def test_root_leaves_a_folder_with_whom_it_belongs_to(folder: Path) -> None:
    """One admin command with sudo must not take the folder from the user who runs the server."""
    if os.geteuid() != 0:
        with pytest.raises(CannotBeMade, match="belongs to the user root: run this as root"):
            prepare(Path("/usr"))
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in within(folder.parent):
        os.chown(path, nobody, -1, follow_symlinks=False)
    async with embedded_postgres(folder, shared=True) as url:
        assert await value(url, "SELECT number FROM kept") == 42
        assert os.stat(f"/proc/{postmaster(folder)}").st_uid == nobody
    assert [path for path in within(folder.parent) if path.stat().st_uid != nobody] == []


@deep
async def test_why_no_database_can_be_made_is_told(tmp_path: Path) -> None:
    script = (
        "import asyncio, resource, sys; from pathlib import Path\n"
        "from shared.storage.embedded import embedded_postgres\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "async def main():\n"
        "    async with embedded_postgres(Path(sys.argv[1])):\n"
        "        pass\n"
        "asyncio.run(main())"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, tmp_path / "postgres"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "could not write to file" in done.stderr.splitlines()[-1]
    assert "initdb" not in done.stderr.splitlines()[-1]


@deep
async def test_nobody_else_reaches_a_socket_outside_the_folder(folder: Path) -> None:
    """Who reaches it is the database's superuser."""
    deep = folder.parent / ("deep" * 25)
    deep.mkdir()
    shutil.move(folder, deep)
    async with embedded_postgres(deep / "postgres") as url:
        assert await value(url, "SELECT number FROM kept") == 42
        outside = prepare(deep / "postgres").socket_dir
        assert outside.stat().st_mode & 0o777 == 0o700
        assert (outside / ".s.PGSQL.5432").is_socket()
    shutil.rmtree(outside)
    outside.symlink_to(folder.parent)
    mode = folder.parent.stat().st_mode
    try:
        with pytest.raises(Misconfigured, match="another user"):
            async with embedded_postgres(deep / "postgres"):
                pass
    finally:
        outside.unlink()
    assert folder.parent.stat().st_mode == mode
