"""A board's content: its entries ranked, as the JSON that is stored and served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import orjson

from medvid.benchmark.disclosure import Withheld, rounded
from medvid.benchmark.ladder import LadderAnswer
from medvid.benchmark.ranking import BOARD_DECIMALS, RankedRow, rank
from medvid.benchmark.series import RANKS_ALL, NotRanked, SeriesRule, ranked_values
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
    sent_before: Mapping[str, int] | None = None
    """What was sent with the same key before; None without a key."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Those of its model that boards show, as far as they are known."""

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

    def not_ranked(self, scoring: Scoring, rule: SeriesRule) -> dict[str, NotRanked]:
        """Return the metrics whose values are shown and count as missing, and why."""
        return rule.not_ranked(self.series(scoring))

    def ranked(self, scoring: Scoring, rule: SeriesRule) -> dict[str, float | None]:
        """Return its values as they rank."""
        return ranked_values(self.shown(scoring), self.not_ranked(scoring, rule))


@dataclass(frozen=True, slots=True)
class RankedBoard:
    """A ranked board: its rows as JSON, and the rank of each entry, best first.

    `unranked` has the rows of the entries without any value, which have no rank; None where every
    entry has one. `values` are those that it shows, by what they were computed from; `rule` says
    which of them it ranks. `rests_on` names the ranking rule, and the versions of metrics and
    ground truth behind the values, as far as these are known.
    """

    content: bytes
    unranked: bytes | None
    ranks: Mapping[UUID, int]
    ranking: Ranking
    rule: SeriesRule
    values: bytes
    rests_on: Mapping[str, Sequence[str]] = field(default_factory=dict)


def ranked_board(
    entries: Sequence[Entry], scoring: Scoring, ranking: Ranking, rule: SeriesRule = RANKS_ALL
) -> RankedBoard:
    """Rank the entries; the same ones give the same bytes in whatever order."""
    ranked, unranked = rank(values_to_rank(entries, scoring, rule), ranking)
    below = [_row(entries[index], None, scoring, rule) for index in unranked]
    return RankedBoard(
        content=orjson.dumps([_row(entries[row.index], row, scoring, rule) for row in ranked]),
        unranked=orjson.dumps(below) if below else None,
        ranks={entries[row.index].entry_id: row.rank for row in ranked},
        ranking=ranking,
        rule=rule,
        values=values_document(entries, scoring),
        rests_on=rests_on(entries, ranking, rule),
    )


def rests_on(
    entries: Sequence[Entry], ranking: Ranking, rule: SeriesRule
) -> dict[str, Sequence[str]]:
    """Return what a board's numbers rest on, by the kind of change that it would be.

    Versions that no value names are left out: a board without values rests on none.
    """
    treated = {"ranking": ranking, **rule.stored()}
    treated.pop("current")  # its changes are the board's breaks
    found: dict[str, Sequence[str]] = {
        "rule": sorted(f"{name}: {value}" for name, value in treated.items())
    }
    for kind in ("metric", "ground_truth"):
        name = f"{kind}_version"
        named = {each[name] for entry in entries for each in entry.origins.values()}
        if versions := sorted(filter(None, named)):
            found[kind] = versions
    return found


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
    entries: Sequence[Entry],
    newcomer: Entry,
    scoring: Scoring,
    ranking: Ranking,
    answers: Mapping[str, LadderAnswer],
    rule: SeriesRule = RANKS_ALL,
) -> tuple[bytes, int]:
    """Return the row that a newcomer would have on the board, as JSON, and among how many.

    `newcomer` has the values that its owner is shown, `answers` how precisely: ranks come from
    these, so they say no more. Counted are the ranked entries and this one.
    """
    ranked, _ = rank(values_to_rank([*entries, newcomer], scoring, rule), ranking)
    own = next((row for row in ranked if row.index == len(entries)), None)
    others = len(ranked) if own is None else len(ranked) - 1
    row = {
        **_row(newcomer, own, scoring, rule),
        "values": {key: rounded(value) for key, value in newcomer.shown(scoring).items()},
        # Present even when empty: they mark rows of a version that withholds, and rounds.
        "withheld": newcomer.withheld,
        "steps": {key: each.step for key, each in answers.items()},
        "repeats": [key for key, each in answers.items() if not each.is_new],
    }
    return orjson.dumps(row), others + 1


def values_to_rank(
    entries: Sequence[Entry], scoring: Scoring, rule: SeriesRule
) -> list[dict[str, str | float | None]]:
    """Return the rows that `rank` takes."""
    return [{"model_name": entry.model_name, **entry.ranked(scoring, rule)} for entry in entries]


def _row(
    entry: Entry, place: RankedRow | None, scoring: Scoring, rule: SeriesRule
) -> dict[str, object]:
    """Return a row as it is stored and served; without a place it has no value that ranks.

    Only a row with withheld values, values that do not rank, of a key, or with facts, says so:
    others equal those of the version before.
    """
    shown, not_ranked = entry.shown(scoring), entry.not_ranked(scoring, rule)
    values = place.values if place else dict.fromkeys(METRIC_KEYS)
    values |= {key: rounded(rounded(shown[key]), BOARD_DECIMALS) for key in not_ranked}
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
        "values": values,
        "ranks": place.ranks if place else {},
        "series": entry.series(scoring),
    }
    if entry.withheld:
        row["withheld"] = entry.withheld
    if not_ranked:
        row["not_ranked"] = not_ranked
    if entry.sent_before is not None:
        row["sent_before"] = entry.sent_before
    if entry.facts:
        row["facts"] = entry.facts
    return row
