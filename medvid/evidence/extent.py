"""What was recomputed of an archive, and what was not, and why: counts for people and scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from medvid.evidence.archive import SNAPSHOT, STATISTICS, VALUES, Archive

if TYPE_CHECKING:  # which loads numpy
    from medvid.evidence.verify_sealed import VerifiedSealed

_SEALED: Final = "it takes the sealed part"
_OLDER: Final = "a version before wrote the snapshot, with 3 decimals"
_PRUNED: Final = "the server no longer keeps this snapshot"
_NO_STATISTICS: Final = (
    "the archive has no statistics: these come seconds after a snapshot, or never"
)
_IMPORTED: Final = "what imported numbers were computed from is not known"
_NO_REPLICATES: Final = "no replicates are kept"
_NO_RECORDS: Final = "no records are kept, as the upload is gone or older code scored it"
_WITHHELD: Final = "withheld values are not published"


@dataclass(frozen=True, slots=True)
class NotRecomputed:
    """How many of what were not recomputed, and why."""

    what: str
    count: int
    why: str


def recomputed(archive: Archive, sealed: VerifiedSealed | None) -> dict[str, int]:
    """Return how much of each kind was recomputed of an archive in which nothing differs."""
    linked = [name for name in archive.files if name in (SNAPSHOT, VALUES, STATISTICS)]
    found = {
        "rows": len(archive.rows),
        "metric_ranks": sum(len(row.ranks) for row in archive.rows),
        "values_to_4_decimals": _values(archive) if archive.values else 0,
        "series": sum(each is not None for row in archive.rows for each in row.series.values()),
        "hashes": len(linked),
        "links": len(archive.links),
        "signatures": sum(link.signature is not None for link in archive.links),
    }
    if sealed is not None:
        found |= {
            "values_from_records": sealed.values,
            "judged_values_from_verdicts": sealed.judged,
            "intervals": sealed.intervals,
            "rank_intervals": sealed.rank_intervals,
        }
    return found


def not_recomputed(archive: Archive, sealed: VerifiedSealed | None) -> list[NotRecomputed]:
    """Return what was not recomputed of an archive, and why."""
    return [each for each in _left_out(archive, sealed) if each.count]


def _left_out(archive: Archive, sealed: VerifiedSealed | None) -> Iterator[NotRecomputed]:
    if archive.description.state == "pruned":
        yield NotRecomputed("rows", archive.link.of_snapshot().entries, _PRUNED)
        return
    imported = _imported(archive)
    if archive.values is None:
        yield NotRecomputed("values_to_4_decimals", _values(archive), _OLDER)
    if archive.statistics is None:
        yield NotRecomputed("rank_intervals", len(archive.rows), _NO_STATISTICS)
    yield NotRecomputed("values_from_records", imported, _IMPORTED)
    if sealed is None:
        yield NotRecomputed("values_from_records", _values(archive) - imported, _SEALED)
        if archive.statistics is not None:
            own = archive.statistics.entries.values()
            yield NotRecomputed("intervals", sum(len(each.intervals) for each in own), _SEALED)
            yield NotRecomputed("rank_intervals", len(own), _SEALED)
        return
    bare = _values(archive) - imported - sealed.values - sealed.without_records
    yield NotRecomputed("values_from_records", bare, _NO_REPLICATES)
    yield NotRecomputed("values_from_records", sealed.without_records, _NO_RECORDS)
    yield NotRecomputed("clusters", sealed.without_clusters, _NO_RECORDS)
    yield NotRecomputed("values_from_records", sealed.withheld, _WITHHELD)


def _values(archive: Archive) -> int:
    rows = (*archive.rows, *archive.unranked)
    return sum(value is not None for row in rows for value in row.values.values())


def _imported(archive: Archive) -> int:
    """Return how many values nobody knows the origin of."""
    if archive.values is None:
        return 0
    entries = archive.values.entries.values()
    return sum(value.origin is None for own in entries for value in own.values())
