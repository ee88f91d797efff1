"""Boards with all that is published of them, made by the ranker's own code without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson

from medvid.benchmark.series import RANKS_ALL, SeriesRule
from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS, Ranking, Scoring
from medvid.evidence.archive import SNAPSHOT, STATISTICS, UNRANKED, VALUES, make_archive
from medvid.evidence.canonical import sha256
from medvid.evidence.frames import frame, unframe
from medvid.evidence.links import ChainLink, LinkedDocument, chained
from medvid.evidence.links import snapshot_document as linked_snapshot
from medvid.evidence.links import statistics_document as linked_statistics
from medvid.evidence.signatures import Signer
from services.ranker.board import Entry, ranked_board
from services.ranker.statistics import Drawn, statistics_document

AT: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)
SIGNER: Final = Signer.of("5a" * 32)
SALT: Final = bytes(range(32))


def board_entry(
    number: int,
    values: Mapping[str, float | None],
    name: str = "",
    ground_truth_version: str = "7" * 64,
) -> Entry:
    """An entry with these values in both scorings; judged ones have a judge, others a file."""
    full = {**dict.fromkeys(METRIC_KEYS), **values}
    judges = {key: f"{number % 2}abcdef0" for key in JUDGE_METRIC_KEYS if number % 3}
    return Entry(
        entry_id=UUID(int=number + 1),
        submission_id=None,
        model_name=name or f"Model {number}",
        organization="Lab",
        team=None,
        authors=None,
        model_url=None,
        track=None,
        badges=(),
        submitted_on=date(2026, 4, 1),
        verified_on=None,
        values={"compat": full, "strict": full},
        judges=judges,
        origins={
            key: {
                "file_sha256": sha256(bytes([number])),
                "ground_truth_version": ground_truth_version,
                "judge_version": judges.get(key),
                "metric_version": "2",
            }
            for key in values
            if key in judges or (number % 3 and key not in JUDGE_METRIC_KEYS)
        },
    )


@dataclass(frozen=True, slots=True)
class Published:
    """What a server has of a snapshot: its files, and the chain up to the last of its links."""

    scoring: Scoring
    documents: Mapping[str, bytes]
    chain: Sequence[ChainLink]
    keys: Mapping[str, str] = field(default_factory=lambda: {SIGNER.key_id: SIGNER.public_key})

    def archive(self) -> bytes:
        return make_archive(self.scoring, self.documents, self.chain, self.keys)


def publish(
    entries: Sequence[Entry],
    *,
    scoring: Scoring = "compat",
    ranking: Ranking = "competition",
    measured: bool = True,
    signer: Signer | None = SIGNER,
    drawn: Drawn | None = None,
    replicates_sha256: str = "1" * 64,
    rule: SeriesRule | None = None,
) -> Published:
    """Rank the entries as snapshot 7; its chain begins with two links of others.

    `drawn` are their replicates, made up where there are none, and `replicates_sha256` the digest
    of all.
    """
    ranked = ranked_board(entries, scoring, ranking, rule or RANKS_ALL)
    documents = {SNAPSHOT: ranked.content, VALUES: ranked.values}
    if ranked.unranked is not None:
        documents[UNRANKED] = ranked.unranked
    about: dict[str, Any] = {
        "snapshot_id": 7, "scoring": scoring, "ranking": ranking, "disclosure": 2, "revision": 3,
        "entries": len(ranked.ranks), "sha256": sha256(ranked.content, ranked.unranked or b""),
        "created_at": AT, "replicates_sha256": replicates_sha256, "salt": SALT,
        "values_sha256": sha256(ranked.values),
        "series": orjson.dumps(rule.stored()).decode() if rule else None,
    }  # fmt: skip
    linked = [
        linked_snapshot({**about, "snapshot_id": 5, "sha256": "5" * 64}),
        linked_snapshot({**about, "snapshot_id": 6, "sha256": "6" * 64, "scoring": "strict"}),
        linked_snapshot(about),
    ]
    if measured:
        documents[STATISTICS] = statistics_document(
            ranked.content, ranking, _drawn(entries) if drawn is None else drawn
        )
        row = {**about, "sha256": sha256(documents[STATISTICS]), "statistics_version": "1"}
        linked.append(linked_statistics(row))
    return Published(scoring, documents, linked_up(linked, signer))


def linked_up(
    documents: Sequence[LinkedDocument], signer: Signer | None = SIGNER
) -> list[ChainLink]:
    found = chained("community", (0, None), AT, documents)
    return [
        ChainLink(body, signer.key_id, signer.sign(body)) if signer else ChainLink(body)
        for _, _, _, body in found
    ]


def _drawn(entries: Sequence[Entry]) -> Drawn:
    drawn = {}
    for number, entry in enumerate(entries):
        own = {}
        for n, (metric, value) in enumerate(entry.shown("compat").items()):
            if value is not None and metric in entry.origins:
                noise = np.random.default_rng(number * 20 + n).normal(0, 0.03, 1000)
                estimate = Estimate(value + noise, 40 if n % 2 else 9)
                found = interval(estimate)
                about = {name: getattr(found, name) for name in found.__slots__}
                own[metric] = (estimate.replicates, about)
        drawn[entry.entry_id] = own
    return drawn


def changed_file(archive: bytes, name: str, change: Any) -> bytes:
    """Return an archive in which one file is another, and everything else as it was."""
    files = unframe(archive, ALL)
    return frame({**files, name: change(files[name])})


ALL: Final = (
    "evidence.json", "snapshot.json", "unranked.json", "values.json", "statistics.json",
    "links.jsonl",
)  # fmt: skip


def edited(change: Any) -> Any:
    """Make an edit of JSON an edit of its bytes, in the spelling that it had."""

    def edit(data: bytes) -> bytes:
        value = orjson.loads(data)
        change(value)
        return orjson.dumps(value)

    return edit
