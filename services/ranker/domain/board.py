"""A board's content: its entries ranked, as the JSON that is stored and served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import orjson

from services.ranker.domain.ranking import rank
from shared.benchmark.tasks import Scoring


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands on a board, with its metric values by scoring mode."""

    entry_id: UUID
    submission_id: UUID | None
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: tuple[str, ...]
    submitted_on: date
    verified_on: date | None
    values: Mapping[Scoring, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class RankedBoard:
    """A ranked board: its rows as JSON, and the rank of each entry, best first."""

    content: bytes
    ranks: Mapping[UUID, int]


def ranked_board(entries: Sequence[Entry], scoring: Scoring) -> RankedBoard:
    """Rank the entries; the same ones give the same bytes in whatever order."""
    ranked = rank({"model_name": e.model_name, **e.values[scoring]} for e in entries)
    rows = []
    ranks = {}
    for row in ranked:
        entry = entries[row.index]
        ranks[entry.entry_id] = row.rank
        rows.append(
            {
                "rank": row.rank,
                "entry_id": str(entry.entry_id),
                "model_name": entry.model_name,
                "organization": entry.organization,
                "team": entry.team,
                "authors": entry.authors,
                "model_url": entry.model_url,
                "track": entry.track,
                "badges": entry.badges,
                "submitted_on": entry.submitted_on,
                "verified_on": entry.verified_on,
                "submission_id": str(entry.submission_id) if entry.submission_id else None,
                "mean_rank": row.mean_rank,
                "values": row.values,
                "ranks": row.ranks,
            }
        )
    return RankedBoard(orjson.dumps(rows), ranks)


def hypothetical_row(entries: Sequence[Entry], newcomer: Entry, scoring: Scoring) -> bytes:
    """Return the row that a newcomer would have if it stood on the board, as JSON."""
    ranked = ranked_board([*entries, newcomer], scoring)
    rows = orjson.loads(ranked.content)
    return orjson.dumps(rows[ranked.ranks[newcomer.entry_id] - 1])
