"""How firm a board's order is: the document beside a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from medvid.benchmark.disclosure import rounded, shown_interval
from medvid.benchmark.ranking import rank
from medvid.benchmark.series import ranked_values
from medvid.benchmark.statistics.comparisons import minimum_detectable
from medvid.benchmark.statistics.ranks import rank_statistics
from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import METRIC_KEYS, Ranking
from medvid.evidence.links import replicates_digest

Drawn = Mapping[UUID, Mapping[str, tuple[Array, Mapping[str, Any]]]]
"""By entry and metric: replicates, and the interval as it is stored."""


def evidence(found: Iterable[tuple[UUID, str, bytes]]) -> str | None:
    """Return one digest of replicates, given as entry, metric and digest in this order.

    None of none.
    """
    return replicates_digest((entry.bytes, metric, own) for entry, metric, own in found)


def statistics_document(content: bytes, ranking: Ranking, drawn: Drawn) -> bytes:
    """Return the statistics of a snapshot's ranked rows (JSON), as JSON.

    `entries`, by id: rank interval, share of first places, whether it may be best, and by metric
    the interval with its error; `minimum_detectable` by metric, of the values that rank. All of it
    may leave the server.
    """
    rows: list[dict[str, Any]] = orjson.loads(content)
    given = [ranked_values(row["values"], row.get("not_ranked", ())) for row in rows]
    ranked, _ = rank(
        [{"model_name": row["model_name"], **own} for row, own in zip(rows, given, strict=True)],
        ranking,
    )
    entries = [UUID(rows[each.index]["entry_id"]) for each in ranked]
    replicates = {
        each.index: {
            metric: found
            for metric, (found, _) in drawn.get(entry, {}).items()
            if given[each.index].get(metric) is not None
        }
        for each, entry in zip(ranked, entries, strict=True)
    }
    found = rank_statistics(ranked, replicates, ranking)
    return orjson.dumps(
        {
            "entries": {
                str(entry): {
                    "rank_low": each.rank_low,
                    "rank_high": each.rank_high,
                    "first_share": each.first_share,
                    "may_be_best": each.may_be_best,
                    "intervals": _intervals(rows[row.index]["values"], drawn.get(entry, {})),
                }
                for entry, row, each in zip(entries, ranked, found, strict=True)
            },
            "minimum_detectable": _detectable(replicates),
        }
    )


def _intervals(
    values: Mapping[str, float | None], drawn: Mapping[str, tuple[Array, Mapping[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """Return the intervals that there are, of the values that are shown."""
    shown = {
        metric: shown_interval(drawn[metric][1])
        for metric in METRIC_KEYS
        if metric in drawn and values[metric] is not None
    }
    return {metric: each for metric, each in shown.items() if each["low"] is not None}


def _detectable(replicates: Mapping[int, Mapping[str, Array]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for metric in METRIC_KEYS:
        there = [own[metric] for own in replicates.values() if metric in own]
        found[metric] = rounded(minimum_detectable(there))
    return found
