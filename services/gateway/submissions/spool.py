"""The folder where uploads are spooled, and what a gateway that was killed left of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

_PREFIX: Final = "medvid-uploads-"
_LOCK: Final = "lock"
"""Held for as long as the folder's gateway lives; the kernel releases it however that ends."""
_log = structlog.get_logger(__name__)


@contextmanager
def spool(parent: Path | None) -> Iterator[Path]:
    """Give a folder of our own in `parent` (None: the system's), without those of the dead."""
    place = Path(tempfile.gettempdir() if parent is None else parent)
    remove_stale(place)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as folder,
        _marked(Path(folder)),
    ):
        yield Path(folder)


@contextmanager
def _marked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which has its name only once it is held."""
    nameless = folder / f"{_LOCK}.new"
    with nameless.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # a file system without locks: nobody removes the folder
            _log.warning("upload_folder_without_lock", folder=str(folder), error=str(error))
            nameless.unlink()
        else:
            nameless.rename(folder / _LOCK)
        yield


def remove_stale(place: Path) -> None:
    """Remove the folders of gateways that were killed.

    Another gateway of this machine may live: its lock is held, so its folder stays. So do folders
    without a lock, which another version made, and those of other users.
    """
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            with (folder / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                _log.info("upload_folder_removed", folder=str(folder), reason="its gateway is gone")
