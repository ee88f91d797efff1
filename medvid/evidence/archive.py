"""The public archive of a snapshot: what is in it, how it is made, and reading it without trust.

Files, in this order:

- `evidence.json`: what the archive is of, the hashes of its other files, the public keys;
- `snapshot.json`: the ranked rows, as they are stored and served;
- `unranked.json`: the rows without any value, if there are any;
- `values.json`: the values to 4 decimals, by what they were computed from;
- `statistics.json`: rank intervals and intervals, once they are computed;
- `links.jsonl`: the chain up to the last link of this snapshot, one a line.

Of a snapshot that is no longer kept there are only the first and the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medvid.benchmark.series import NotRanked, Treatment
from medvid.benchmark.tasks import Board, Ranking, Scoring
from medvid.evidence.canonical import BadEvidence, canonical, read_json, sha256
from medvid.evidence.frames import frame, unframe
from medvid.evidence.links import ChainLink, Kind

FORMAT: Final = "medvidbench-evidence"
VERSION: Final = 1
EVIDENCE: Final = "evidence.json"
SNAPSHOT: Final = "snapshot.json"
UNRANKED: Final = "unranked.json"
VALUES: Final = "values.json"
STATISTICS: Final = "statistics.json"
LINKS: Final = "links.jsonl"
NAMES: Final = (EVIDENCE, SNAPSHOT, UNRANKED, VALUES, STATISTICS, LINKS)
State = Literal["complete", "pruned"]
Hex = Annotated[str, Field(pattern=r"\A[0-9a-f]+\z", max_length=128)]
One = Annotated[int, Field(ge=1, le=1)]
"""The version 1, as an integer: `true` equals 1 in Python and is not accepted."""
Value = Annotated[float, Field(ge=-1e6, le=1e6)]
"""Wider than any metric, and too narrow for sums and quotients to overflow."""
_LONGEST_NAME: Final = 1_000
ShapeType = TypeVar("ShapeType", bound=BaseModel)


class EvidenceShape(BaseModel):
    """What is read without trust: of exactly this shape, and nothing is converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _Growing(EvidenceShape):
    """What later versions may add to; it is hashed as a whole."""

    model_config = ConfigDict(extra="allow")


class LinkName(EvidenceShape):
    """A link by its number, and its hash."""

    number: int
    hash: Hex


class PublicKey(EvidenceShape):
    """A key that signed links; both in hexadecimal."""

    key_id: Hex
    public_key: Hex


class ArchiveDescription(EvidenceShape):
    """What an archive is of: `evidence.json`."""

    format: Literal["medvidbench-evidence"]
    version: One
    board: Board
    scoring: Scoring
    snapshot: int
    state: State
    link: LinkName
    files: dict[str, str]
    keys: list[PublicKey]


class EvidenceRow(_Growing):
    """A row of a board, of which this much is recomputed."""

    rank: int | None
    entry_id: Annotated[str, Field(max_length=_LONGEST_NAME)]
    model_name: Annotated[str, Field(max_length=_LONGEST_NAME)]
    mean_rank: float | None
    values: dict[str, Value | None]
    ranks: dict[str, int]
    series: dict[str, str | None] = Field(default_factory=dict)
    not_ranked: dict[str, NotRanked] = Field(default_factory=dict)
    withheld: dict[str, str] = Field(default_factory=dict)


class Origin(_Growing):
    """What a value was computed from."""

    ground_truth_version: str
    metric_version: str
    file_sha256: str
    judge_version: str | None


class OriginalValue(EvidenceShape):
    """A value to 4 decimals, and the index of its origin."""

    value: Value
    origin: int | None = Field(alias="from")


class OriginalValues(EvidenceShape):
    """`values.json`."""

    entries: dict[str, dict[str, OriginalValue]]
    origins: list[Origin]


class PublishedInterval(_Growing):
    """An interval as statistics have it; older ones have only its ends."""

    low: float
    high: float
    se: float | None = None
    clusters: int | None = None
    undefined: int | None = None
    few_videos: bool | None = None


class EntryFirmness(_Growing):
    """How firm an entry's rank and values are, as statistics have it."""

    rank_low: int
    rank_high: int
    first_share: Annotated[float, Field(ge=0, le=1)]
    may_be_best: bool
    intervals: dict[str, PublishedInterval]


class SnapshotStatistics(_Growing):
    """`statistics.json`."""

    entries: dict[str, EntryFirmness]
    minimum_detectable: dict[str, float | None]


class SnapshotSeries(EvidenceShape):
    """Which series a snapshot ranks, and how it treats others."""

    current: str | None
    other_judges: Treatment
    published: Treatment


class SnapshotContent(_Growing):
    """How a link describes a snapshot."""

    rows_sha256: str
    values_sha256: str | None
    sealed_sha256: str | None
    scoring: Scoring
    ranking: Ranking | None
    entries: int
    revision: int
    ranked_at: str
    series: SnapshotSeries | None = None


class StatisticsContent(_Growing):
    """How a link describes statistics."""

    sha256: str
    statistics_version: str
    scoring: Scoring
    computed_at: str


class LinkBody(EvidenceShape):
    """The signed part of a link."""

    version: One
    board: Board
    number: int
    previous: str | None
    at: str
    kind: Kind
    snapshot: int
    content: dict[str, Any]


class LinkLine(EvidenceShape):
    """A line of `links.jsonl`."""

    body: LinkBody
    hash: Hex
    key_id: Hex | None
    signature: Hex | None

    def of_snapshot(self) -> SnapshotContent:
        """Return how it describes a snapshot; raises BadEvidence."""
        return shaped(SnapshotContent, self.body.content, f"link {self.body.number}")

    def of_statistics(self) -> StatisticsContent:
        """Return how it describes statistics; raises BadEvidence."""
        return shaped(StatisticsContent, self.body.content, f"link {self.body.number}")


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as it was read: its files, and what they say, in the shape that they must have."""

    files: Mapping[str, bytes]
    description: ArchiveDescription
    links: Sequence[LinkLine]
    rows: Sequence[EvidenceRow]
    unranked: Sequence[EvidenceRow]
    values: OriginalValues | None
    statistics: SnapshotStatistics | None

    @property
    def link(self) -> LinkLine:
        """The link of its snapshot; raises BadEvidence where there is none."""
        found = self.link_of("snapshot")
        if found is None:
            raise BadEvidence(f"{LINKS} has no link of snapshot {self.description.snapshot}.")
        return found

    def link_of(self, kind: Kind) -> LinkLine | None:
        """Return the link of a document of its snapshot."""
        named = (kind, self.description.snapshot)
        return next((e for e in self.links if (e.body.kind, e.body.snapshot) == named), None)


def make_archive(
    scoring: Scoring,
    documents: Mapping[str, bytes],
    chain: Sequence[ChainLink],
    keys: Mapping[str, str],
) -> bytes:
    """Return the archive of the snapshot whose link is the last of a chain, or its statistics'.

    `documents` are the files about it, none where it is no longer kept; `keys` public keys by id.
    """
    last = read_json(chain[-1].body, "a link")
    lines = [
        b'{"body":%b,"hash":"%b","key_id":%b,"signature":%b}\n'
        % (each.body, each.hash.encode(), canonical(each.key_id), canonical(each.signature))
        for each in chain
    ]
    files = {name: documents[name] for name in NAMES if name in documents}
    files[LINKS] = b"".join(lines)
    signed = sorted({each.key_id for each in chain if each.key_id})
    description = {
        "format": FORMAT,
        "version": VERSION,
        "board": last["board"],
        "scoring": scoring,
        "snapshot": last["snapshot"],
        "state": "complete" if documents else "pruned",
        "link": {"number": last["number"], "hash": chain[-1].hash},
        "files": {name: sha256(content) for name, content in files.items()},
        "keys": [{"key_id": each, "public_key": keys[each]} for each in signed],
    }
    return frame({EVIDENCE: canonical(description), **files})


def read_archive(data: bytes) -> Archive:
    """Return an archive whose files have their shape; raises BadEvidence for any other bytes."""
    files = unframe(data, NAMES)
    if EVIDENCE not in files or LINKS not in files:
        raise BadEvidence(f"it has no {EVIDENCE if EVIDENCE not in files else LINKS}.")
    description = shaped(ArchiveDescription, read_canonical(files[EVIDENCE], EVIDENCE), EVIDENCE)
    lines = files[LINKS].split(b"\n")
    if lines.pop():
        raise BadEvidence(f"{LINKS} does not end with its last line.")
    links = [
        shaped(LinkLine, read_canonical(line, f"{LINKS}, line {n}"), f"{LINKS}, line {n}")
        for n, line in enumerate(lines, 1)
    ]
    if (SNAPSHOT in files) is (description.state == "pruned"):
        raise BadEvidence(f"{EVIDENCE}: its state is {description.state}, its files are others.")
    values = files.get(VALUES)
    statistics = files.get(STATISTICS)
    return Archive(
        files,
        description,
        links,
        _rows(files, SNAPSHOT),
        _rows(files, UNRANKED),
        None if values is None else shaped(OriginalValues, read_canonical(values, VALUES), VALUES),
        None
        if statistics is None
        else shaped(SnapshotStatistics, read_json(statistics, STATISTICS), STATISTICS),
    )


def _rows(files: Mapping[str, bytes], name: str) -> list[EvidenceRow]:
    found = read_json(files[name], name) if name in files else []
    if not isinstance(found, list):
        raise BadEvidence(f"{name} is no list of rows.")
    return [shaped(EvidenceRow, row, f"{name}, row {n}") for n, row in enumerate(found, 1)]


def read_canonical(data: bytes, where: str) -> Any:
    """Return canonical JSON; raises BadEvidence for another spelling of it."""
    found = read_json(data, where)
    if canonical(found) != data:
        raise BadEvidence(f"{where} is not spelled as it should be: sorted and without spaces.")
    return found


def shaped(shape: type[ShapeType], found: object, where: str) -> ShapeType:
    """Return what was read in the shape that it must have; raises BadEvidence."""
    try:
        return shape.model_validate(found)
    except ValidationError as error:
        (problem, *_) = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(str(part)[:40] for part in problem["loc"])
        raise BadEvidence(f"{where}: {place or 'the whole'}: {problem['msg']}.") from None
