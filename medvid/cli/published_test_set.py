"""The test set that a server publishes, fetched once and kept by its ETag.

Kept below `~/.cache/medvid` (or XDG_CACHE_HOME), a file a server: its ETag in the first line, then
the test set.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from medvid.api import NotFound, TestSetFile, Unintelligible
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.unpacking import LARGEST_PUBLIC_FILE
from medvid.cli.config_file import write_private
from medvid.cli.session import Session

_LONGEST_ETAG: Final = 256


def published_samples(session: Session) -> TestSet | None:
    """Return the server's test set; None where it publishes none.

    Raises Unintelligible where what it publishes is no test set, and as any call.
    """
    file = _path(session.url)
    kept, samples = _read(file)
    try:
        found = session.client.published_test_set(etag=kept)
    except NotFound:
        return None
    if found is None:
        return samples
    samples = _checked(session.url, found)
    with suppress(OSError):  # a folder that cannot be written: it is fetched again next time
        _keep(file, found)
    return samples


def _path(url: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(cache) / "medvid" / f"test-set-{name}"


def _checked(url: str, found: TestSetFile) -> TestSet:
    from medvid.benchmark.test_set_file import InvalidTestSet, load_test_set

    try:
        return load_test_set(found.content)
    except InvalidTestSet as error:
        raise Unintelligible(
            f"what {url} publishes is no test set: {error}.",
            fix="Tell its maintainers; --test-set FILE or --no-check submit without it.",
        ) from None


def _read(file: Path) -> tuple[str | None, TestSet | None]:
    """Return what is kept: ETag and samples; nothing where the file is missing or damaged."""
    from medvid.benchmark.test_set_file import InvalidTestSet, load_test_set

    try:
        with file.open("rb") as stream:
            etag = stream.readline(_LONGEST_ETAG + 1).decode("ascii").removesuffix("\n")
            content = stream.read(LARGEST_PUBLIC_FILE + 1)
        return (etag, load_test_set(content)) if etag and etag.isprintable() else (None, None)
    except (OSError, UnicodeDecodeError, InvalidTestSet):
        return None, None


def _keep(file: Path, found: TestSetFile) -> None:
    etag = found.etag or ""
    if etag.isascii() and etag.isprintable() and 0 < len(etag) < _LONGEST_ETAG:
        write_private(file, f"{etag}\n".encode() + found.content)
