"""The sealed part of a snapshot: what only an auditor gets who may hold the ground truth.

Files: `sealed.json` (salt, and the hash of every value's replicates), one for each entry, with the
replicates of its values, what each record adds to them, and the verdicts behind judged ones; and
`hashes.json`, the SHA-256 of all others.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, RootModel

from medvid.benchmark.tasks import Board, Scoring
from medvid.evidence.archive import EvidenceShape, Hex, One, read_canonical, shaped
from medvid.evidence.canonical import BadEvidence, canonical, sha256
from medvid.evidence.frames import unframe

FORMAT: Final = "medvidbench-sealed"
VERSION: Final = 1
SEALED: Final = "sealed.json"
HASHES: Final = "hashes.json"
LARGEST_SEALED: Final = 1 << 30
"""Bytes: some 700 entries."""
_MOST_VIDEOS: Final = 20_000
_MOST_TEXTS: Final = 1_000_000
_LISTED: Final = Field(strict=False)
"""A tuple, which JSON has as a list."""
Count = Annotated[int, Field(ge=0)]


class SealedDescription(EvidenceShape):
    """What a sealed part is of: `sealed.json`; `replicates` are entry, metric and SHA-256."""

    format: Literal["medvidbench-sealed"]
    version: One
    board: Board
    scoring: Scoring
    snapshot: int
    salt: Hex
    replicates: list[Annotated[tuple[str, str, Hex], _LISTED]]


class SealedRecords(EvidenceShape):
    """What records add to a metric's sums: sample's index, source, number of its video, columns."""

    samples: list[Count]
    sources: list[str]
    videos: list[Count]
    rows: list[list[float]]


class ValueParts(EvidenceShape):
    """A value's replicates (base64 of float64, little-endian), and the records behind it.

    One set of records for each time that the judge was asked; none where they are not kept.
    `videos` counts those of each source in the ground truth.
    """

    metric: str
    ground_truth_version: str
    replicates: str
    videos: Annotated[dict[str, Annotated[int, Field(gt=0, le=_MOST_VIDEOS)]], Field(max_length=64)]
    rounds: list[SealedRecords]


class SealedVerdicts(EvidenceShape):
    """Verdicts by round, text and aspect, and which pair of which sample has which text."""

    texts: Annotated[int, Field(ge=0, le=_MOST_TEXTS)]
    pairs: dict[str, list[Annotated[tuple[int, str, int, float | None], _LISTED]]]
    rounds: list[dict[str, list[int]]]


class FileHashes(RootModel[dict[str, Hex]]):
    """`hashes.json`: the SHA-256 of each other file."""


class SealedEntry(EvidenceShape):
    """A file of a sealed part."""

    entry: str
    values: list[ValueParts]
    verdicts: SealedVerdicts | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed part as it was read; its entries are read one after another.

    `stored_hashes` are those that it has of its files, `hashes` those that these have.
    """

    description: SealedDescription
    files: Mapping[str, bytes]
    stored_hashes: Mapping[str, str]
    hashes: Mapping[str, str]

    def entries(self) -> Iterator[SealedEntry]:
        """Yield what is known of each entry; raises BadEvidence."""
        for name, content in self.files.items():
            found = shaped(SealedEntry, read_canonical(content, name), name)
            if entry_file(found.entry) != name:
                raise BadEvidence(f"{name} is about another entry.")
            yield found


def entry_file(entry: UUID | str) -> str:
    """Return the name of an entry's file."""
    return f"{entry}.json"


def description_of(
    board: Board,
    scoring: Scoring,
    snapshot: int,
    salt: bytes,
    replicates: Sequence[tuple[UUID, str, bytes]],
) -> bytes:
    """Return `sealed.json`; `replicates` are entry, metric and digest of each value's."""
    return canonical(
        {
            "format": FORMAT,
            "version": VERSION,
            "board": board,
            "scoring": scoring,
            "snapshot": snapshot,
            "salt": salt.hex(),
            "replicates": [(str(entry), metric, own.hex()) for entry, metric, own in replicates],
        }
    )


def value_parts(
    metric: str, version: str, replicates: bytes, records: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what an entry's file has of a value; `records` as `records_of` made them, or None."""
    return {
        "metric": metric,
        "ground_truth_version": version,
        "replicates": base64.b64encode(replicates).decode(),
        "videos": records["videos"] if records else {},
        "rounds": records["rounds"] if records else [],
    }


def sealed_entry(
    entry: UUID | str,
    values: Sequence[Mapping[str, Any]],
    verdicts: Mapping[str, Any] | None,
) -> bytes:
    """Return an entry's file: what `value_parts` made of each value, and `verdicts_of` of a run."""
    return canonical({"entry": str(entry), "values": values, "verdicts": verdicts})


def read_sealed(data: bytes) -> Sealed:
    """Return a sealed part; raises BadEvidence for other bytes."""
    files = unframe(data, None, LARGEST_SEALED)
    for name in (SEALED, HASHES):
        if name not in files:
            raise BadEvidence(f"it has no {name}.")
    stored = shaped(FileHashes, read_canonical(files.pop(HASHES), HASHES), HASHES).root
    hashes = {name: sha256(content) for name, content in files.items()}
    description = shaped(SealedDescription, read_canonical(files.pop(SEALED), SEALED), SEALED)
    listed = list(dict.fromkeys(entry for entry, *_ in description.replicates))
    if [*files] != [entry_file(entry) for entry in listed]:
        raise BadEvidence(f"its files are not those of the entries that {SEALED} lists.")
    return Sealed(description, files, stored, hashes)
