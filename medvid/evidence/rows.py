"""Recomputing a board's rows and what is said of how firm they are: where they differ, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.series import SeriesRule, ranked_values
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS, PUBLISHED, Ranking
from medvid.evidence.archive import (
    SNAPSHOT,
    STATISTICS,
    UNRANKED,
    VALUES,
    EntryFirmness,
    EvidenceRow,
    OriginalValues,
    SnapshotStatistics,
)

_REPLICATES: Final = 1000
_MAY_BE_BEST: Final = 950
"""Of them."""
_LONGEST: Final = 200
"""Characters of a value that are shown: more than a signature has."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that is not as it follows from the rest.

    `where` names a file or link, and in it the entry; `stored` is what stands there, `recomputed`
    what follows from the rest.
    """

    where: str
    field: str
    stored: object
    recomputed: object

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.field} is {_shown(self.stored)}, "
            f"recomputed {_shown(self.recomputed)}."
        )


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


Found = Iterator[Discrepancy]


def row_differences(
    rows: Sequence[EvidenceRow],
    unranked: Sequence[EvidenceRow],
    values: OriginalValues | None,
    ranking: Ranking | None,
    rule: SeriesRule,
) -> Found:
    """Yield where rows differ from what their values give.

    Without `values` (a version before wrote the snapshot) the rows' own values are taken, of 3
    decimals, which rank the same. `rule` says which judged values rank.
    """
    yield from _twice(rows, unranked)
    yield from _marks([*rows, *unranked], rule)
    yield from _withheld([*rows, *unranked])
    own = {row.entry_id: dict(row.values) for row in (*rows, *unranked)}
    if values is not None:
        given = {
            entry: {metric: each.value for metric, each in found.items()}
            for entry, found in values.entries.items()
        }
        yield from _membership([*rows, *unranked], given)
        own = {entry: dict(given.get(entry, {})) for entry in own}
    # Of a version that ranked all rows there are neither values nor a rule of ranking.
    if values is not None or ranking is not None or all(_has_value(row) for row in rows):
        yield from _ranked(rows, unranked, own, ranking or "competition")
    if values is not None:
        yield from _origins([*rows, *unranked], values)


def _has_value(row: EvidenceRow) -> bool:
    return any(value is not None for value in row.values.values())


def _twice(rows: Sequence[EvidenceRow], unranked: Sequence[EvidenceRow]) -> Found:
    seen: set[str] = set()
    for row in (*rows, *unranked):
        if row.entry_id in seen:
            yield Discrepancy(_row(row, SNAPSHOT), "entry_id", "there twice", "once")
        seen.add(row.entry_id)


def _membership(rows: Sequence[EvidenceRow], given: Mapping[str, object]) -> Found:
    there = {row.entry_id for row in rows}
    for entry in given:
        if entry not in there:
            where = f"{SNAPSHOT}, entry {entry}"
            yield Discrepancy(where, "the row", None, f"one, as {VALUES} has")
    for row in rows:
        if row.entry_id not in given:
            yield Discrepancy(f"{VALUES}, {_name(row)}", "the entry", None, "there, as its row is")


def _ranked(
    rows: Sequence[EvidenceRow],
    unranked: Sequence[EvidenceRow],
    values: Mapping[str, Mapping[str, float | None]],
    ranking: Ranking,
) -> Found:
    from medvid.benchmark.ranking import BOARD_DECIMALS, rank

    listed = [*rows, *unranked]
    given = [
        {
            "model_name": row.model_name,
            **ranked_values(_known(values.get(row.entry_id, {})), row.not_ranked),
        }
        for row in listed
    ]
    ranked, below = rank(given, ranking)
    for place, (row, each) in enumerate(zip(rows, ranked, strict=False), 1):
        expected = listed[each.index]
        if row.entry_id != expected.entry_id:
            yield Discrepancy(
                f"{SNAPSHOT}, row {place}", "the entry", row.model_name, expected.model_name
            )
            return
        where = _row(row, SNAPSHOT)
        for metric in METRIC_KEYS:
            shown = each.values[metric]
            if metric in row.not_ranked:
                own = values.get(row.entry_id, {}).get(metric)
                shown = rounded(rounded(own), BOARD_DECIMALS)
            yield from same(where, f"values.{metric}", row.values.get(metric), shown)
        for metric in METRIC_KEYS:
            yield from same(where, f"ranks.{metric}", row.ranks.get(metric), each.ranks[metric])
        yield from same(where, "mean_rank", row.mean_rank, each.mean_rank)
        yield from same(where, "rank", row.rank, each.rank)
    yield from same(SNAPSHOT, "the number of rows", len(rows), len(ranked))
    for row, index in zip(unranked, below, strict=False):
        where = _row(row, UNRANKED)
        yield from same(where, "the entry", row.entry_id, listed[index].entry_id)
        for field in ("rank", "mean_rank"):
            yield from same(where, field, getattr(row, field), None)
        if row.ranks or any(
            value is not None for value in ranked_values(row.values, row.not_ranked).values()
        ):
            yield Discrepancy(where, "values and ranks", "there", None)


def _marks(rows: Sequence[EvidenceRow], rule: SeriesRule) -> Found:
    """Compare which values are said not to rank with what the rule of series says."""
    for row in rows:
        where, expected = _row(row, SNAPSHOT), rule.not_ranked(row.series)
        for metric in JUDGE_METRIC_KEYS:
            marked = row.not_ranked.get(metric)
            yield from same(where, f"not_ranked.{metric}", marked, expected.get(metric))


def _withheld(rows: Sequence[EvidenceRow]) -> Found:
    """Compare what is said to be withheld with what is shown."""
    for row in rows:
        for metric in row.withheld:
            yield from same(_row(row, SNAPSHOT), f"values.{metric}", row.values.get(metric), None)


def _known(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {metric: values.get(metric) for metric in METRIC_KEYS}


def _origins(rows: Sequence[EvidenceRow], values: OriginalValues) -> Found:
    """Compare the series of judged values with the judges that values were computed by."""
    for row in rows:
        own = values.entries.get(row.entry_id, {})
        for metric, each in own.items():
            where = f"{VALUES}, {_name(row)}"
            if metric not in METRIC_KEYS:
                yield Discrepancy(where, metric, each.value, None)
            if each.origin is not None and not 0 <= each.origin < len(values.origins):
                yield Discrepancy(where, f"{metric}.from", each.origin, "an index of 'origins'")
                return
        for metric in JUDGE_METRIC_KEYS:
            origin = own[metric].origin if metric in own else None
            judge = values.origins[origin].judge_version if origin is not None else None
            expected = (judge or PUBLISHED) if metric in own else None
            series = row.series.get(metric)
            yield from same(_row(row, SNAPSHOT), f"series.{metric}", series, expected)


def statistics_differences(rows: Sequence[EvidenceRow], statistics: SnapshotStatistics) -> Found:
    """Yield where statistics contradict the rows, or themselves."""
    found = statistics.entries
    for row in rows:
        if row.entry_id not in found:
            yield Discrepancy(f"{STATISTICS}, {_name(row)}", "the entry", None, "there")
            return
    by_id = {row.entry_id: row for row in rows}
    for entry, each in found.items():
        if entry not in by_id:
            yield Discrepancy(f"{STATISTICS}, entry {entry}", "the entry", "there", None)
            return
        yield from _firmness(f"{STATISTICS}, {_name(by_id[entry])}", by_id[entry], each, len(rows))
    firsts = [round(found[row.entry_id].first_share * _REPLICATES) for row in rows]
    if rows:
        yield from same(STATISTICS, "the sum of first_share", sum(firsts) / _REPLICATES, 1.0)
    best = _may_be_best(firsts)
    for row, expected in zip(rows, best, strict=True):
        where = f"{STATISTICS}, {_name(row)}"
        yield from same(where, "may_be_best", found[row.entry_id].may_be_best, expected)


def _firmness(where: str, row: EvidenceRow, each: EntryFirmness, entries: int) -> Found:
    if not 1 <= each.rank_low <= each.rank_high <= entries:
        yield Discrepancy(
            where, "the rank interval", f"{each.rank_low} to {each.rank_high}",
            f"one within 1 to {entries}",
        )  # fmt: skip
    if each.first_share != round(each.first_share * _REPLICATES) / _REPLICATES:
        yield Discrepancy(where, "first_share", each.first_share, "a count of 1,000")
    for metric, interval in each.intervals.items():
        if row.values.get(metric) is None:
            yield Discrepancy(where, f"intervals.{metric}", "there", None)
        if interval.low > interval.high:
            yield Discrepancy(where, f"intervals.{metric}.high", interval.high, "not below low")
        if interval.clusters is not None:
            from medvid.benchmark.statistics.intervals import FEW_VIDEOS

            is_few = interval.clusters < FEW_VIDEOS
            yield from same(where, f"intervals.{metric}.few_videos", interval.few_videos, is_few)


def _may_be_best(firsts: Sequence[int]) -> list[bool]:
    """Return which entries, given in order of rank, are of the shortest run that holds 95 %."""
    best = [False] * len(firsts)
    reached = 0
    for n in sorted(range(len(firsts)), key=lambda n: (-firsts[n], n)):
        best[n] = True
        reached += firsts[n]
        if reached >= _MAY_BE_BEST:
            break
    return best


def same(where: str, field: str, stored: object, recomputed: object) -> Found:
    """Yield a difference unless both are the same; 1 and true are not."""
    if stored != recomputed or isinstance(stored, bool) is not isinstance(recomputed, bool):
        yield Discrepancy(where, field, stored, recomputed)


def _row(row: EvidenceRow, file: str) -> str:
    return f"{file}, {_name(row)}"


def _name(row: EvidenceRow) -> str:
    return f"{row.model_name!r} ({row.entry_id})"
