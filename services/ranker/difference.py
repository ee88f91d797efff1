"""What other scores would do to a board: every entry's rank and values before and after. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from medvid.benchmark.disclosure import Withheld
from medvid.benchmark.ranking import RankedRow, rank
from medvid.benchmark.series import RANKS_ALL, SeriesRule
from medvid.benchmark.tasks import SCORINGS, Ranking, Scoring
from services.ranker.board import Entry, values_to_rank


@dataclass(frozen=True, slots=True)
class NewScores:
    """The metrics of an entry that would be replaced: exact values by scoring, and the withheld."""

    values: Mapping[Scoring, Mapping[str, float | None]]
    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    judge: str | None = None
    """The version of the judge that gave them; None for rule-based metrics."""


NewValues = Mapping[UUID, NewScores]
"""By entry."""


def board_difference(
    entries: Sequence[Entry],
    new: NewValues,
    ranking: Ranking,
    rule: SeriesRule = RANKS_ALL,
    rule_after: SeriesRule | None = None,
) -> dict[Scoring, list[object]]:
    """Return, for each scoring, the board's rows in their order after, with what was before.

    Entries without new values are among them too, since their ranks may move. One without a value
    has no rank. Ranks are those that boards would show; values are exact, for administrators.
    `rule_after`: the rule of series that the board would have; None: the one it has.
    """
    changed = [_with_values(entry, new.get(entry.entry_id)) for entry in entries]
    return {
        scoring: _rows(
            entries,
            _places(entries, scoring, ranking, rule),
            _places(changed, scoring, ranking, rule_after or rule),
            new,
            scoring,
        )
        for scoring in SCORINGS
    }


def _with_values(entry: Entry, new: NewScores | None) -> Entry:
    if new is None:
        return entry
    values = {scoring: {**entry.values[scoring], **new.values[scoring]} for scoring in SCORINGS}
    kept = {
        metric: why
        for metric, why in entry.withheld.items()
        if not any(metric in new.values[scoring] for scoring in SCORINGS)
    }
    judged = {metric for scoring in SCORINGS for metric in new.values[scoring]} if new.judge else ()
    return replace(
        entry,
        values=values,
        withheld={**kept, **new.withheld},
        judges={**entry.judges, **dict.fromkeys(judged, new.judge)},
    )


def _places(
    entries: Sequence[Entry], scoring: Scoring, ranking: Ranking, rule: SeriesRule
) -> dict[int, RankedRow | None]:
    """Return the ranked rows by the entry's index, in the order of the board; None: not ranked."""
    ranked, unranked = rank(values_to_rank(entries, scoring, rule), ranking)
    return {**{row.index: row for row in ranked}, **dict.fromkeys(unranked)}


def _rows(
    entries: Sequence[Entry],
    before: Mapping[int, RankedRow | None],
    after: Mapping[int, RankedRow | None],
    new: NewValues,
    scoring: Scoring,
) -> list[object]:
    rows: list[object] = []
    for index, row in after.items():
        entry, was = entries[index], before[index]
        scores = new.get(entry.entry_id)
        values = scores.values[scoring] if scores else {}
        rows.append(
            {
                "entry_id": str(entry.entry_id),
                "model_name": entry.model_name,
                "rescored": entry.entry_id in new,
                "rank": {"before": was and was.rank, "after": row and row.rank},
                "mean_rank": {"before": was and was.mean_rank, "after": row and row.mean_rank},
                "values": {
                    metric: {"before": entry.values[scoring][metric], "after": value}
                    for metric, value in values.items()
                    if value != entry.values[scoring][metric]
                },
            }
        )
    return rows
