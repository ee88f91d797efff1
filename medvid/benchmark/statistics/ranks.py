"""How firm the ranks of a board are: the board ranked anew in every replicate (SPEC 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medvid.benchmark.ranking import Counts, RankedRow, on_board, standings
from medvid.benchmark.statistics.bootstrap import REPLICATES
from medvid.benchmark.statistics.intervals import PERCENTILES
from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import METRIC_KEYS, Ranking

EntryReplicates = Mapping[str, Array]
"""One entry's replicates by metric, in the board's scoring."""
MOST_ENTRIES: Final = 3_000
"""Of a larger board a server computes none: replicates take 700 MB, and time the board's square."""
_MAY_BE_BEST: Final = 0.95
_NUMBERS_AT_ONCE: Final = 1 << 17
"""Of one metric: what is sorted at once stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class RankStatistics:
    """How firm an entry's rank is.

    `rank_low` and `rank_high` hold 95 % of its ranks over the replicates; `first_share` is the
    share of replicates in which it is first; `may_be_best` says that it is one of the fewest
    entries among which the first is, in 95 % of the replicates.
    """

    rank_low: int
    rank_high: int
    first_share: float
    may_be_best: bool


def rank_statistics(
    ranked: Sequence[RankedRow],
    replicates: Mapping[int, EntryReplicates],
    ranking: Ranking = "competition",
    metrics: Sequence[str] = METRIC_KEYS,
) -> list[RankStatistics]:
    """Return the statistics of each ranked row, in their order; `ranking.rank` made the rows.

    `replicates` are those of an entry by its row's `index`. Where an entry has none of a metric
    (an imported number), it keeps its value; where its row has no value, none is counted.
    """
    if not ranked:
        return []
    places = np.concatenate([*_places(ranked, replicates, ranking, metrics)])
    low = np.percentile(places, PERCENTILES[0], axis=0, method="lower")
    high = np.percentile(places, PERCENTILES[1], axis=0, method="higher")
    firsts = (places == 1).sum(axis=0)
    best = _may_be_best(firsts)
    return [
        RankStatistics(int(low[n]), int(high[n]), float(firsts[n]) / REPLICATES, bool(best[n]))
        for n in range(len(ranked))
    ]


def _places(
    ranked: Sequence[RankedRow],
    replicates: Mapping[int, EntryReplicates],
    ranking: Ranking,
    metrics: Sequence[str],
) -> Iterator[Counts]:
    """Yield the places, replicates by rows, some replicates at a time."""
    by_name = sorted(range(len(ranked)), key=lambda n: ranked[n].model_name)
    rows = [ranked[n] for n in by_name]
    back = np.argsort(by_name)
    step = max(1, _NUMBERS_AT_ONCE // len(rows))
    for start in range(0, REPLICATES, step):
        some = slice(start, min(start + step, REPLICATES))
        columns = [_column(rows, replicates, metric, some) for metric in metrics]
        yield standings(columns, ranking).places[:, back]


def _column(
    rows: Sequence[RankedRow], replicates: Mapping[int, EntryReplicates], metric: str, some: slice
) -> Array:
    """Return a metric's values as the board rounds them, some replicates by rows."""
    values = np.empty((len(rows), some.stop - some.start))
    drawn = np.zeros(len(rows), np.bool_)
    for n, row in enumerate(rows):
        value = row.values[metric]
        own = replicates.get(row.index, {}).get(metric)
        if value is not None and own is not None:
            values[n] = own[some]
            drawn[n] = True
        else:  # rounded already
            values[n] = np.nan if value is None else value
    values[drawn] = on_board(values[drawn])
    return np.ascontiguousarray(values.T)


def _may_be_best(firsts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which entries, given in order of rank, are of the shortest run that holds 95 %."""
    order = np.argsort(-firsts, kind="stable")
    reached = np.cumsum(firsts[order]) >= _MAY_BE_BEST * REPLICATES
    best = np.zeros(len(firsts), np.bool_)
    best[order[: int(reached.argmax()) + 1]] = True
    return best
