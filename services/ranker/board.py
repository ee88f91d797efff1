"""A board's content: its entries ranked, as the JSON that is stored and served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import orjson

from medvid.benchmark.disclosure import Withheld, rounded
from medvid.benchmark.ranking import RankedRow, rank
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS, PUBLISHED, Ranking, Scoring
from medvid.evidence.canonical import canonical


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands on a board, with its exact metric values by scoring mode.

    `withheld` names the metrics that are not shown, and why; `judges` the judge version of each
    judged value, None where it is not recorded; `origins` what each value was computed from, of
    those for which that is known.
    """

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
    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    judges: Mapping[str, str | None] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    def shown(self, scoring: Scoring) -> dict[str, float | None]:
        """Return its values as boards may show them: a withheld one counts as missing."""
        values = self.values[scoring]
        return {key: None if key in self.withheld else value for key, value in values.items()}

    def series(self, scoring: Scoring) -> dict[str, str | None]:
        """Return the series that each judged value belongs to; None where no value is shown."""
        values = self.shown(scoring)
        return {
            key: None if values[key] is None else self.judges.get(key) or PUBLISHED
            for key in JUDGE_METRIC_KEYS
        }


@dataclass(frozen=True, slots=True)
class RankedBoard:
    """A ranked board: its rows as JSON, and the rank of each entry, best first.

    `unranked` has the rows of the entries without any value, which have no rank; None where every
    entry has one. `values` are those that were ranked, by what they were computed from.
    """

    content: bytes
    unranked: bytes | None
    ranks: Mapping[UUID, int]
    ranking: Ranking
    values: bytes


def ranked_board(entries: Sequence[Entry], scoring: Scoring, ranking: Ranking) -> RankedBoard:
    """Rank the entries; the same ones give the same bytes in whatever order."""
    ranked, unranked = rank(_values(entries, scoring), ranking)
    below = [_row(entries[index], None, scoring) for index in unranked]
    return RankedBoard(
        content=orjson.dumps([_row(entries[row.index], row, scoring) for row in ranked]),
        unranked=orjson.dumps(below) if below else None,
        ranks={entries[row.index].entry_id: row.rank for row in ranked},
        ranking=ranking,
        values=values_document(entries, scoring),
    )


def values_document(entries: Sequence[Entry], scoring: Scoring) -> bytes:
    """Return the values that a board ranks and shows, to 4 decimals, as canonical JSON.

    `entries`, by id and metric: `value`, and as `from` the index in `origins` of what it was
    computed from, null where that is not known.
    """
    origins: dict[bytes, int] = {}
    found = {
        str(entry.entry_id): {
            key: {
                "from": origins.setdefault(canonical(entry.origins[key]), len(origins))
                if key in entry.origins
                else None,
                "value": rounded(value),
            }
            for key, value in entry.shown(scoring).items()
            if value is not None
        }
        for entry in sorted(entries, key=lambda entry: entry.entry_id)
    }
    return canonical({"entries": found, "origins": [orjson.loads(each) for each in origins]})


def hypothetical_row(
    entries: Sequence[Entry], newcomer: Entry, scoring: Scoring, ranking: Ranking
) -> tuple[bytes, int]:
    """Return the row that a newcomer would have on the board, as JSON, and among how many.

    Counted are the ranked entries and this one.
    """
    ranked, _ = rank(_values([*entries, newcomer], scoring), ranking)
    own = next((row for row in ranked if row.index == len(entries)), None)
    others = len(ranked) if own is None else len(ranked) - 1
    # Present even when empty: it marks rows of a version that withholds, unlike the one before.
    row = {**_row(newcomer, own, scoring), "withheld": newcomer.withheld}
    return orjson.dumps(row), others + 1


def _values(entries: Sequence[Entry], scoring: Scoring) -> list[dict[str, str | float | None]]:
    return [{"model_name": entry.model_name, **entry.shown(scoring)} for entry in entries]


def _row(entry: Entry, place: RankedRow | None, scoring: Scoring) -> dict[str, object]:
    """Return a row as it is stored and served; without a place it has no value either.

    Only a row with withheld values says so: others equal those of the version before.
    """
    row: dict[str, object] = {
        "rank": place.rank if place else None,
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
        "mean_rank": place.mean_rank if place else None,
        "values": place.values if place else dict.fromkeys(METRIC_KEYS),
        "ranks": place.ranks if place else {},
        "series": entry.series(scoring),
    }
    return row | {"withheld": entry.withheld} if entry.withheld else row
