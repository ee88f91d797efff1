"""Submissions that were made from here, with their owner tokens, so that nobody has to paste them.

Kept in `~/.local/state/medvid/submissions.json` (or below XDG_STATE_HOME), for its owner only.
Uploads that were begun are kept too: a repeated one, after a crash, has the same idempotency
key, and gets the receipt of the submission that there may be already.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from medvid.api.errors import LeaderboardError
from medvid.benchmark.names import name_key
from medvid.cli.config_file import write_private
from medvid.models.submissions import SubmissionReceipt

_KEPT: Final = 1_000
_UPLOADS_KEPT: Final = timedelta(days=1)
_SHORTEST_PREFIX: Final = 4


class UnknownSubmission(LeaderboardError):
    """No remembered submission is meant."""

    code = "unknown_submission"


class NothingKept(LeaderboardError):
    """What is remembered cannot be written."""

    code = "nothing_kept"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A submission made from here. `url` is its server."""

    url: str
    id: str
    owner_token: str
    model_name: str
    file: str
    submitted_at: str


def path() -> Path:
    """Return the file of all that is remembered."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "medvid" / "submissions.json"


def submissions(url: str) -> list[Remembered]:
    """Return the submissions to a server, newest first."""
    with _opened() as kept:
        found = [Remembered(**each) for each in kept["submissions"]]
    return [each for each in reversed(found) if each.url == url]


def find(url: str, named: str | None) -> Remembered | None:
    """Return the submission with this id, model name or beginning of an id; the newest for None.

    Returns None where nothing like it is remembered; raises UnknownSubmission where there is
    nothing to choose from, or too much.
    """
    known = submissions(url)
    if named is None:
        if not known:
            raise UnknownSubmission(
                f"no submission to {url} is remembered.",
                fix="Name one by its id, with --token for its owner's view.",
            )
        return known[0]
    exact = [each for each in known if named in (each.id, each.model_name)] or [
        each for each in known if name_key(each.model_name) == name_key(named)
    ]
    if exact:
        return exact[0]
    begun = [each for each in known if len(named) >= _SHORTEST_PREFIX and each.id.startswith(named)]
    if len(begun) > 1:
        raise UnknownSubmission(
            f"{len(begun)} submissions begin with {named!r}.", fix="Give more of the id."
        )
    return begun[0] if begun else None


def foreign_id(url: str, named: str) -> str:
    """Return the whole id of a submission that is not remembered; raises UnknownSubmission."""
    try:
        return str(UUID(named))
    except ValueError:
        raise UnknownSubmission(
            f"no submission to {url} is remembered here by {named!r}.",
            fix="'medvid submissions' lists those that are. Of another give the whole id, with "
            "--token for its owner's view: both came with its receipt.",
        ) from None


def remember(url: str, receipt: SubmissionReceipt, model_name: str, file: Path) -> Remembered:
    """Keep a new submission."""
    new = Remembered(
        url=url,
        id=str(receipt.id),
        owner_token=receipt.owner_token,
        model_name=model_name,
        file=str(file.absolute()),
        submitted_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with _opened(write=True) as kept:
        others = [each for each in kept["submissions"] if each["id"] != new.id]
        kept["submissions"] = [*others, asdict(new)][-_KEPT:]
    return new


def upload_key(url: str, fields: Mapping[str, str], content: bytes) -> tuple[str, str]:
    """Return a name for this upload, and its idempotency key: the one of an unfinished try."""
    digest = hashlib.sha256(json.dumps([url, sorted(fields.items())]).encode())
    digest.update(content)
    name = digest.hexdigest()
    now = datetime.now(UTC)
    with _opened(write=True) as kept:
        oldest = (now - _UPLOADS_KEPT).isoformat()
        uploads = {n: each for n, each in kept["uploads"].items() if each["begun_at"] > oldest}
        uploads.setdefault(name, {"key": str(uuid4()), "begun_at": now.isoformat()})
        kept["uploads"] = uploads
        key: str = uploads[name]["key"]
    return name, key


def upload_ended(name: str) -> None:
    """Forget an upload that was answered."""
    with _opened(write=True) as kept:
        kept["uploads"].pop(name, None)


@contextmanager
def _opened(*, write: bool = False) -> Iterator[dict[str, Any]]:
    """Read what is kept; with `write`, under a lock, and write it back."""
    file = path()
    if not write:
        yield _read(file)
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = _read(file)
            yield kept
            write_private(file, json.dumps(kept, indent=1, ensure_ascii=False))
    except OSError as error:
        raise NothingKept(
            f"cannot keep owner tokens in {file}: {error.strerror or error}.",
            fix="Name a folder that can be written: XDG_STATE_HOME. Then run it again: "
            "a submission that was made gives the same receipt.",
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        found = {}
    except (OSError, ValueError) as error:
        raise UnknownSubmission(
            f"cannot read {file}: {error}.", fix="Correct it, or move it out of the way."
        ) from None
    return {"submissions": [], "uploads": {}, **found}
