"""The chain of a board: a link for each of its documents, which names the link before it.

A document is a snapshot, or the statistics beside one, which are written later, or never. Links
stand in the order in which they were written and are never deleted, so that a document that is
gone is still known by its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from medvid.evidence.canonical import canonical, sha256

VERSION: Final = 1
"""Of the link's form."""
Kind = Literal["snapshot", "statistics"]


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A link as it is stored: `body` is canonical JSON, whose SHA-256 is the link's hash.

    `signature` is Ed25519 of the body, in hexadecimal; without it `key_id` is None, too.
    """

    body: bytes
    key_id: str | None = None
    signature: str | None = None

    @property
    def hash(self) -> str:
        """Return the hash by which the next link names it."""
        return sha256(self.body)


@dataclass(frozen=True, slots=True)
class LinkedDocument:
    """What a link is about; `content` describes it, with its hashes."""

    kind: Kind
    snapshot: int
    content: Mapping[str, Any]


def link_body(
    board: str, number: int, previous: str | None, at: datetime, document: LinkedDocument
) -> bytes:
    """Return the body of a board's link of this number; the first has no link before it."""
    return canonical(
        {
            "at": moment(at),
            "board": board,
            "content": document.content,
            "kind": document.kind,
            "number": number,
            "previous": previous,
            "snapshot": document.snapshot,
            "version": VERSION,
        }
    )


def chained(
    board: str,
    head: tuple[int, str | None],
    at: datetime,
    documents: Iterable[LinkedDocument],
) -> Sequence[tuple[int, str | None, LinkedDocument, bytes]]:
    """Return the links of documents behind a chain's head: number, link before, what, body.

    `head` is the last number and its hash; 0 and None of an empty chain.
    """
    number, previous = head
    found = []
    for document in documents:
        number += 1
        body = link_body(board, number, previous, at, document)
        found.append((number, previous, document, body))
        previous = sha256(body)
    return found


def snapshot_document(row: Mapping[str, Any]) -> LinkedDocument:
    """Return a snapshot as links describe it, from its row.

    `rows_sha256` is of its ranked rows followed by the unranked ones. Null, where an older version
    wrote it: `values_sha256`, `sealed_sha256`, `ranking`, `disclosure`; `series` is then left out.
    """
    sealed, salt = row["replicates_sha256"], row["salt"]
    series = {"series": orjson.loads(row["series"])} if row.get("series") else {}
    return LinkedDocument(
        "snapshot",
        row["snapshot_id"],
        {
            "disclosure": row["disclosure"],
            "entries": row["entries"],
            "ranked_at": moment(row["created_at"]),
            "ranking": row["ranking"],
            "revision": row["revision"],
            "rows_sha256": row["sha256"],
            "scoring": row["scoring"],
            "sealed_sha256": seal(salt, sealed) if sealed and salt else None,
            "values_sha256": row["values_sha256"],
            **series,
        },
    )


def statistics_document(row: Mapping[str, Any]) -> LinkedDocument:
    """Return the statistics beside a snapshot as links describe them, from their row."""
    return LinkedDocument(
        "statistics",
        row["snapshot_id"],
        {
            "computed_at": moment(row["created_at"]),
            "scoring": row["scoring"],
            "sha256": row["sha256"],
            "statistics_version": row["statistics_version"],
        },
    )


def seal(salt: bytes, replicates_sha256: str) -> str:
    """Return the hash of the sealed part, which binds it and does not let anyone guess it.

    Without the salt, a board of one entry could be tried out: few videos have few outcomes.
    """
    return sha256(salt, bytes.fromhex(replicates_sha256))


def replicates_digest(found: Iterable[tuple[bytes, str, bytes]]) -> str | None:
    """Return one digest of replicates: entry's id (16 bytes), metric, SHA-256; in this order.

    None of none.
    """
    lines = [b"%b %b %b\n" % (entry, metric.encode(), own) for entry, metric, own in found]
    return sha256(*lines) if lines else None


def moment(at: datetime) -> str:
    """Return a moment as links write it: UTC, microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
