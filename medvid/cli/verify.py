"""`medvid verify`: a board recomputed from its evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import typer
from rich.console import Console

from medvid.api import Client
from medvid.cli.failures import CommandFailed, WrongUsage
from medvid.cli.files import read_file
from medvid.cli.parameters import Json
from medvid.cli.printing import Exit, print_json
from medvid.cli.session import tell_retries
from medvid.evidence.archive import Archive, read_archive
from medvid.evidence.canonical import BadEvidence
from medvid.evidence.extent import not_recomputed, recomputed
from medvid.evidence.frames import LARGEST
from medvid.evidence.rows import Discrepancy
from medvid.evidence.signatures import key_id_of
from medvid.evidence.verify import Verified
from medvid.evidence.verify import verify as verified

if TYPE_CHECKING:
    from medvid.evidence.verify_sealed import VerifiedSealed

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_PATH: Final = re.compile(r"(.*)/api/v1/leaderboards/(official|community)/evidence")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_PUBLIC_KEY: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST_KEY_FILE: Final = 1 << 20


def verify(
    archive: Annotated[
        str,
        typer.Argument(help="a file of 'medvid export-evidence', or its address on a server"),
    ],
    key: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="public keys that you trust: an answer of /api/v1/evidence/keys that you kept, or "
            "one key a line; without it, the archive's own",
        ),
    ] = None,
    sealed: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="the sealed part: recomputes values and intervals from records and verdicts",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Recompute a board from its evidence, and name the first thing that differs.

    Ranks and mean ranks from the values, what statistics say of one another, hashes, the chain of
    links and its signatures; with the sealed part also values, intervals and rank intervals. Exit
    status 0: nothing differs; 1: something does, or the archive cannot be read as one.
    """  # fmt: skip
    data = _fetch(archive) if _URL.match(archive) else read_file(Path(archive), LARGEST)
    trusted = None if key is None else trusted_keys(key)
    try:
        found = verified(read_archive(data), trusted)
    except BadEvidence as error:
        raise _no_evidence(archive, error) from None
    _require_none(archive, found.first)
    opened = None if sealed is None else _opened(found.archive, sealed)
    if as_json:
        print_json(_report(found, opened, is_pinned=trusted is not None))
    else:
        print("\n".join(_lines(found, opened, is_pinned=trusted is not None)))
    return Exit.DONE


def _opened(archive: Archive, path: Path) -> VerifiedSealed:
    """Return what came of a sealed part; raises CommandFailed where it differs."""
    from medvid.evidence.sealed import LARGEST_SEALED, read_sealed  # numpy is loaded for it alone
    from medvid.evidence.verify_sealed import verify_sealed

    try:
        found = verify_sealed(archive, read_sealed(read_file(path, LARGEST_SEALED)))
    except BadEvidence as error:
        raise _no_evidence(str(path), error) from None
    _require_none(str(path), found.first)
    return found


def _no_evidence(name: str, error: BadEvidence) -> CommandFailed:
    return CommandFailed(f"{name} is no evidence: {error}", code="invalid_file")


def _require_none(name: str, first: Discrepancy | None) -> None:
    """Raise CommandFailed where something differs."""
    if first is not None:
        raise CommandFailed(f"{name} differs: {first}", code="differs", report=asdict(first))


def _fetch(address: str) -> bytes:
    """Return what an address of evidence answers; raises LeaderboardError.

    It may be a stranger's server: no API key is sent there.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # as of half an IPv6 address
        raise _no_address(address) from None
    match = _PATH.fullmatch(parts.path)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    snapshot = query.get("snapshot")
    if match is None or (snapshot is not None and _NUMBER.fullmatch(snapshot) is None):
        raise _no_address(address)
    server = f"{parts.scheme}://{parts.netloc}{match[1]}"
    notices = Console(stderr=True, highlight=False)
    with Client(server, key="", on_retry=tell_retries(notices)) as client:
        return client.evidence(
            match[2],
            snapshot=None if snapshot is None else int(snapshot),
            scoring=query.get("scoring", "compat"),
        )


def _no_address(address: str) -> WrongUsage:
    return WrongUsage(
        f"{address} is no address of evidence.",
        fix="Boards name theirs in 'link.evidence', pages under 'Verify this board'.",
    )


def trusted_keys(path: Path) -> dict[str, str]:
    """Return the public keys of a file by id; raises WrongUsage where it has none."""
    text = read_file(path, _LARGEST_KEY_FILE).decode(errors="replace")
    try:
        keys = [each["public_key"] for each in json.loads(text)["keys"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        keys = text.split()
    if not keys or not all(isinstance(each, str) and _PUBLIC_KEY.fullmatch(each) for each in keys):
        raise WrongUsage(
            f"{path} holds no public key.",
            fix="Keep what /api/v1/evidence/keys answers, or write keys of 64 hexadecimal digits.",
        )
    return {key_id_of(each): each for each in keys}


def _report(found: Verified, opened: VerifiedSealed | None, *, is_pinned: bool) -> dict[str, Any]:
    described = found.archive.description
    return {
        "board": described.board,
        "scoring": described.scoring,
        "snapshot": described.snapshot,
        "state": described.state,
        "entries": len(found.archive.rows),
        "links": len(found.archive.links),
        "signed_links": found.signed,
        "keys": "given" if is_pinned else "the archive's own",
        "head": described.link.model_dump(),
        "sealed": None
        if opened is None
        else {"recomputed": opened.values, "without_records": opened.without_records},
        "recomputed": recomputed(found.archive, opened),
        "not_recomputed": [asdict(each) for each in not_recomputed(found.archive, opened)],
    }


def _lines(found: Verified, opened: VerifiedSealed | None, *, is_pinned: bool) -> Iterator[str]:
    archive = found.archive
    described, content = archive.description, archive.link.of_snapshot()
    yield (
        f"Snapshot {described.snapshot} of the {described.board} board, {described.scoring} "
        f"scoring, ranked at {content.ranked_at}: nothing differs."
    )
    yield from _documents(archive, opened)
    if opened is not None:
        yield (
            f"  sealed part {opened.values:,} values recomputed from their records, "
            f"{opened.judged:,} of them from verdicts"
        )
    for each in not_recomputed(archive, opened):
        yield f"  not checked {each.count:,} {each.what.replace('_', ' ')}: {each.why}"
    yield f"  chain       {len(archive.links):,} links, unbroken; the last is {described.link.hash}"
    yield f"  signatures  {_signatures(found, is_pinned=is_pinned)}"


def _documents(archive: Archive, opened: VerifiedSealed | None) -> Iterator[str]:
    if archive.description.state == "pruned":
        yield "  rows        hash known, content pruned: the server no longer keeps this snapshot"
        return
    source = "values of 4 decimals" if archive.values else "their own values (an older snapshot)"
    yield f"  rows        {len(archive.rows):,} ranked anew from {source}"
    if archive.statistics is None:
        yield "  statistics  none in this archive"
    elif opened is None:
        yield "  statistics  consistent with the rows and in themselves"
    else:
        yield (
            f"  statistics  {opened.intervals:,} intervals and {opened.rank_intervals:,} rank "
            "intervals recomputed from replicates"
        )


def _signatures(found: Verified, *, is_pinned: bool) -> str:
    if not found.signed:
        return "none: the links are unsigned, so only a hash that you kept can tell a forgery"
    whose = "by a key that you gave" if is_pinned else "by the archive's own key: pin it with --key"
    return f"{found.signed:,} of {len(found.archive.links):,} links, valid, {whose}"
