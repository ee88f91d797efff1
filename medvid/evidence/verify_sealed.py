"""Recomputing values, intervals and rank intervals from the sealed part of a snapshot."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

import numpy as np

from medvid.benchmark.disclosure import rounded, shown_interval
from medvid.benchmark.ranking import rank
from medvid.benchmark.series import ranked_values
from medvid.benchmark.statistics.bootstrap import REPLICATES, Estimate
from medvid.benchmark.statistics.comparisons import minimum_detectable
from medvid.benchmark.statistics.intervals import FEW_VIDEOS, interval
from medvid.benchmark.statistics.ranks import rank_statistics
from medvid.benchmark.sums import Array, Contributions
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS
from medvid.evidence.archive import STATISTICS, VALUES, Archive, PublishedInterval
from medvid.evidence.canonical import BadEvidence, sha256
from medvid.evidence.links import replicates_digest, seal
from medvid.evidence.records import contributions_from, from_verdicts, redrawn
from medvid.evidence.rows import Discrepancy, Found, same
from medvid.evidence.sealed import HASHES, SEALED, Sealed, SealedEntry, ValueParts, entry_file

_CLOSE: Final = 1e-9
"""How far replicates may be from the recomputed: sums depend on the machine in their last bits."""
_BYTES: Final = 8 * REPLICATES


@dataclass(slots=True)
class VerifiedSealed:
    """What came of it, and how much was recomputed.

    `values` counts published ones that follow from their records, `judged` those of them whose
    records follow from verdicts; `withheld` what has records and is not published. Without records
    there are replicates alone: intervals follow from these, the clusters they name do not.
    """

    first: Discrepancy | None = None
    values: int = 0
    judged: int = 0
    withheld: int = 0
    without_records: int = 0
    without_clusters: int = 0
    intervals: int = 0
    rank_intervals: int = 0


@dataclass(slots=True)
class _Work:
    archive: Archive
    sealed: Sealed
    result: VerifiedSealed
    replicates: dict[str, dict[str, Array]] = field(default_factory=dict)
    clusters: dict[tuple[str, str], int] = field(default_factory=dict)


def verify_sealed(archive: Archive, sealed: Sealed) -> VerifiedSealed:
    """Return the first difference between an archive and the sealed part of its snapshot.

    Raises BadEvidence where the sealed part cannot be read.
    """
    result = VerifiedSealed()
    result.first = next(_differences(_Work(archive, sealed, result)), None)
    return result


def _differences(work: _Work) -> Iterator[Discrepancy]:
    described, archive = work.sealed.description, work.archive
    for name in ("board", "scoring", "snapshot"):
        public = getattr(archive.description, name)
        yield from same(SEALED, name, getattr(described, name), public)
    listed: dict[str, dict[str, str]] = {}
    for entry, metric, digest in described.replicates:
        listed.setdefault(entry, {})[metric] = digest
    for each in work.sealed.entries():
        yield from _entry(work, each, listed[each.entry])
    yield from _sealed_hash(work)
    yield from _statistics(work)
    stored, hashes = work.sealed.stored_hashes, work.sealed.hashes
    for name in {**hashes, **stored}:
        yield from same(HASHES, name, stored.get(name), hashes.get(name))


def _sealed_hash(work: _Work) -> Found:
    """Compare the list of replicates with the hash that the snapshot's link names."""
    described = work.sealed.description
    try:
        found = replicates_digest(
            (UUID(entry).bytes, metric, bytes.fromhex(digest))
            for entry, metric, digest in described.replicates
        )
    except ValueError as error:
        raise BadEvidence(f"{SEALED}: {error}.") from None
    sealed = seal(bytes.fromhex(described.salt), found) if found else None
    link = work.archive.link
    where = f"link {link.body.number}"
    yield from same(where, "sealed_sha256", link.of_snapshot().sealed_sha256, sealed)


def _entry(work: _Work, entry: SealedEntry, listed: Mapping[str, str]) -> Found:
    where = f"{entry_file(entry.entry)}, {_name(work.archive, entry.entry)}"
    yield from same(where, "metrics", [each.metric for each in entry.values], [*listed])
    scoring = work.sealed.description.scoring
    judged = from_verdicts(entry.verdicts) if entry.verdicts else []
    values = work.archive.values
    published = values.entries.get(entry.entry, {}) if values else {}
    for value in entry.values:
        raw = _bytes(value)
        yield from same(where, f"replicates of {value.metric}", listed[value.metric], sha256(raw))
        replicates = np.frombuffer(raw, "<f8")
        work.replicates.setdefault(entry.entry, {})[value.metric] = replicates
        if not value.rounds:
            work.result.without_records += 1
            continue
        rounds = [contributions_from(each, value.metric, scoring) for each in value.rounds]
        if value.metric in JUDGE_METRIC_KEYS:
            yield from _verdicts(where, value.metric, rounds, judged)
        is_published = value.metric in published
        if is_published:
            yield from _value(work.archive, entry.entry, value, rounds)
        estimate = redrawn(value, rounds)
        work.clusters[entry.entry, value.metric] = estimate.clusters
        for number in _apart(replicates, estimate.replicates):
            field = f"replicate {number} of {value.metric}"
            again = float(estimate.replicates[number])
            yield Discrepancy(where, field, float(replicates[number]), again)
        work.result.values += is_published
        work.result.judged += is_published and value.metric in JUDGE_METRIC_KEYS
        work.result.withheld += not is_published


def _apart(stored: Array, again: Array) -> list[int]:
    apart = ~np.isclose(stored, again, rtol=_CLOSE, atol=_CLOSE, equal_nan=True)
    return [int(number) for number in np.flatnonzero(apart)[:1]]


def _value(archive: Archive, entry: str, value: ValueParts, rounds: list[Contributions]) -> Found:
    """Compare a published value with the one that its records give."""
    found = [each.value()[0] for each in rounds]
    present = [each for each in found if each is not None]
    again = sum(present) / len(found) if len(present) == len(found) else None
    values = archive.values
    assert values is not None  # noqa: S101 - it has the value
    published = values.entries[entry][value.metric]
    where = f"{VALUES}, {_name(archive, entry)}"
    if again is None or abs(published.value - again) > 0.5e-4 + _CLOSE:
        yield Discrepancy(where, value.metric, published.value, rounded(again))
    origin = None if published.origin is None else values.origins[published.origin]
    version = origin and origin.ground_truth_version
    yield from same(where, f"{value.metric}'s ground truth", version, value.ground_truth_version)


def _verdicts(
    where: str,
    metric: str,
    rounds: list[Contributions],
    judged: list[dict[str, Contributions]],
) -> Found:
    """Compare what a judged value's records add with what the verdicts give."""
    if len(judged) != len(rounds):
        yield Discrepancy(where, "rounds of verdicts", len(judged), len(rounds))
        return
    for number, (stored, found) in enumerate(zip(rounds, judged, strict=True), 1):
        if metric not in found:
            yield Discrepancy(where, f"verdicts of {metric}", "too few", "a published value")
            return
        for sample, own, expected in _side_by_side(stored, found[metric]):
            named = f"verdicts of {metric}, sample {sample}, round {number}"
            yield from same(where, named, own, expected)


def _side_by_side(
    stored: Contributions, again: Contributions
) -> Iterator[tuple[int, object, list[float]]]:
    """Yield sample, stored and recomputed sums; records without a verdict have none but a count."""
    nothing = [0.0] * stored.rows.shape[1]
    for row in range(max(len(again.samples), len(stored.samples))):
        if row >= len(again.samples):
            yield int(stored.samples[row]), [0.0, *stored.rows[row, 1:].tolist()], nothing
            continue
        is_there = row < len(stored.samples) and stored.samples[row] == again.samples[row]
        own = stored.rows[row].tolist() if is_there else None
        yield int(again.samples[row]), own, again.rows[row].tolist()


def _statistics(work: _Work) -> Found:
    """Recompute intervals and rank intervals from the replicates."""
    archive, statistics = work.archive, work.archive.statistics
    if statistics is None:
        return
    rows = [
        {"model_name": row.model_name, **ranked_values(row.values, row.not_ranked)}
        for row in archive.rows
    ]
    ranking = archive.link.of_snapshot().ranking or "competition"
    ranked, _ = rank(rows, ranking)
    replicates = {n: work.replicates.get(row.entry_id, {}) for n, row in enumerate(archive.rows)}
    ranking_ones = {
        n: {metric: found for metric, found in own.items() if rows[n].get(metric) is not None}
        for n, own in replicates.items()
    }
    for each, own in zip(ranked, rank_statistics(ranked, ranking_ones, ranking), strict=True):
        row = archive.rows[each.index]
        where = f"{STATISTICS}, {row.model_name!r} ({row.entry_id})"
        stored = statistics.entries[row.entry_id]
        for name, again in asdict(own).items():
            yield from same(where, name, getattr(stored, name), again)
        work.result.rank_intervals += 1
        for metric in METRIC_KEYS:
            if row.values.get(metric) is not None:
                found = replicates[each.index].get(metric)
                published = stored.intervals.get(metric)
                clusters = work.clusters.get((row.entry_id, metric))
                for name, *pair in _interval(work.result, found, clusters, published):
                    yield from same(where, f"intervals.{metric}{name}", *pair)
    for metric in METRIC_KEYS:
        there = [own[metric] for own in ranking_ones.values() if metric in own]
        again = rounded(minimum_detectable(there))
        stored_one = statistics.minimum_detectable.get(metric)
        yield from same(STATISTICS, f"minimum_detectable.{metric}", stored_one, again)


def _interval(
    result: VerifiedSealed,
    replicates: Array | None,
    clusters: int | None,
    published: PublishedInterval | None,
) -> Iterator[tuple[str, object, object]]:
    """Yield what is published of an interval, and what replicates give; without them there is none.

    How many videos enter a value takes its records. Without these, `clusters` None, the published
    number is taken: of less than four, no ends are shown.
    """
    if replicates is None:
        yield "", published and "there", None
        return
    if clusters is None:
        result.without_clusters += 1
        if published is None:
            return
        clusters = FEW_VIDEOS if published.clusters is None else published.clusters
    again: dict[str, Any] = shown_interval(asdict(interval(Estimate(replicates, clusters))))
    if published is None:
        yield ".low", None, again["low"]
        return
    for name, own in published.model_dump().items():
        if own is not None or published.clusters is not None:
            yield f".{name}", own, again.get(name)
    result.intervals += 1


def _bytes(value: ValueParts) -> bytes:
    try:
        raw = base64.b64decode(value.replicates, validate=True)
    except (binascii.Error, ValueError):
        raise BadEvidence(f"replicates of {value.metric} are no base64.") from None
    if len(raw) != _BYTES:
        raise BadEvidence(f"replicates of {value.metric} have {len(raw)} bytes.")
    return raw


def _name(archive: Archive, entry: str) -> str:
    rows = (*archive.rows, *archive.unranked)
    return next((repr(row.model_name) for row in rows if row.entry_id == entry), "no row")
