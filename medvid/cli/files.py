"""Reading the files a user names, with errors that say what to do."""

from __future__ import annotations

from pathlib import Path


class UnreadableFile(Exception):
    """A file cannot be read; the text names it and the cure."""


def read_file(path: Path, limit: int) -> bytes:
    """Return a file's bytes, at most `limit` + 1, so that a huge file is refused, not loaded."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UnreadableFile(
            f"Cannot read {path}: {error.strerror or error}. Check the path and its permissions."
        ) from None
