"""Recomputing all that an archive lets a stranger recompute, and naming what differs first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from medvid.benchmark.series import SeriesRule
from medvid.evidence.archive import (
    EVIDENCE,
    LINKS,
    SNAPSHOT,
    STATISTICS,
    UNRANKED,
    VALUES,
    Archive,
    LinkLine,
)
from medvid.evidence.canonical import canonical, sha256
from medvid.evidence.rows import Discrepancy, Found, row_differences, same, statistics_differences
from medvid.evidence.signatures import is_signed, key_id_of


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it: nothing differs where `first` is None.

    `signed` counts the links with a valid signature, by keys of the archive or, where some were
    given, by those.
    """

    archive: Archive
    first: Discrepancy | None
    signed: int


def verify(archive: Archive, keys: Mapping[str, str] | None = None) -> Verified:
    """Return the first difference of an archive, from the rows to the chain.

    `keys`: the public keys that are trusted, by id; None to take those that the archive names.
    Raises BadEvidence.
    """
    first = next(_differences(archive, keys), None)
    return Verified(archive, first, sum(link.signature is not None for link in archive.links))


def _differences(archive: Archive, keys: Mapping[str, str] | None) -> Iterator[Discrepancy]:
    if archive.description.state == "complete":
        content = archive.link.of_snapshot()
        series = content.series.model_dump() if content.series else None
        yield from row_differences(
            archive.rows, archive.unranked, archive.values, content.ranking, SeriesRule.of(series)
        )
        if archive.statistics is not None:
            yield from statistics_differences(archive.rows, archive.statistics)
    yield from _chain(archive.links, archive.description.board)
    yield from _end_of_chain(archive)
    yield from _documents(archive)
    yield from _signatures(archive, keys)
    yield from _files(archive)


def _chain(links: Sequence[LinkLine], board: str) -> Found:
    """Follow the chain from its first link."""
    previous: str | None = None
    seen: set[tuple[str, int]] = set()
    for number, link in enumerate(links, 1):
        where = f"link {link.body.number}"
        if link.body.number != number:
            yield Discrepancy(LINKS, f"the link behind {number - 1}", link.body.number, number)
            return
        yield from same(where, "hash", link.hash, sha256(canonical(link.body.model_dump())))
        yield from same(where, "previous", link.body.previous, previous)
        yield from same(where, "board", link.body.board, board)
        document = (link.body.kind, link.body.snapshot)
        if document in seen:
            yield Discrepancy(where, "its document", "linked before", "linked once")
        seen.add(document)
        previous = link.hash


def _end_of_chain(archive: Archive) -> Found:
    described = archive.description
    last = archive.links[-1] if archive.links else None
    yield from same(EVIDENCE, "link.number", described.link.number, last and last.body.number)
    yield from same(EVIDENCE, "link.hash", described.link.hash, last and last.hash)
    if last is not None:
        yield from same(EVIDENCE, "snapshot", described.snapshot, last.body.snapshot)
    yield from same(EVIDENCE, "scoring", described.scoring, archive.link.of_snapshot().scoring)


def _documents(archive: Archive) -> Found:
    """Compare the files of a snapshot with the hashes that its links name."""
    files, link = archive.files, archive.link
    linked_statistics = archive.link_of("statistics")
    if archive.description.state == "pruned":
        return
    content = link.of_snapshot()
    where = f"link {link.body.number}"
    rows = sha256(files[SNAPSHOT], files.get(UNRANKED, b""))
    yield from same(where, f"the hash of {SNAPSHOT} and {UNRANKED}", content.rows_sha256, rows)
    values = sha256(files[VALUES]) if VALUES in files else None
    yield from same(where, f"the hash of {VALUES}", content.values_sha256, values)
    yield from same(where, "entries", content.entries, len(archive.rows))
    statistics = sha256(files[STATISTICS]) if STATISTICS in files else None
    if linked_statistics is None:
        yield from same(STATISTICS, "the file", "there" if statistics else None, None)
        return
    where = f"link {linked_statistics.body.number}"
    described = linked_statistics.of_statistics()
    yield from same(where, f"the hash of {STATISTICS}", described.sha256, statistics)
    yield from same(where, "scoring", described.scoring, content.scoring)


def _files(archive: Archive) -> Found:
    """Compare the files with the archive's own list of them."""
    expected = {name: sha256(found) for name, found in archive.files.items() if name != EVIDENCE}
    for name in {**expected, **archive.description.files}:
        stored = archive.description.files.get(name)
        yield from same(EVIDENCE, f"the hash of {name}", stored, expected.get(name))


def _signatures(archive: Archive, trusted: Mapping[str, str] | None) -> Found:
    named = {key.key_id: key.public_key for key in archive.description.keys}
    used = sorted({link.key_id for link in archive.links if link.key_id is not None})
    yield from same(EVIDENCE, "keys", [key.key_id for key in archive.description.keys], used)
    for key_id, public_key in named.items():
        yield from same(EVIDENCE, f"the key {key_id}", key_id, _named_by(public_key))
    known = named if trusted is None else trusted
    for link in archive.links:
        where = f"link {link.body.number}"
        if (link.key_id is None) is not (link.signature is None):
            yield Discrepancy(where, "key_id and signature", "one of them", "both or none")
        if link.key_id is None or link.signature is None:
            continue
        if link.key_id not in known:
            yield Discrepancy(where, "the key", link.key_id, "one that is trusted")
        elif not is_signed(canonical(link.body.model_dump()), link.signature, known[link.key_id]):
            yield Discrepancy(where, "signature", link.signature, f"one by the key {link.key_id}")
    # Links before it may be older than the key: the last one covers them by their hashes.
    if trusted is not None and archive.links[-1].signature is None:
        where = f"link {archive.links[-1].body.number}"
        yield Discrepancy(where, "signature", None, "one by a key that is trusted")


def _named_by(public_key: str) -> str | None:
    try:
        return key_id_of(public_key)
    except ValueError:
        return None
