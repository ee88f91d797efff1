"""The statistics beside a snapshot are those of the pure rules, on exact values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.disclosure import FEWEST_VIDEOS, TOO_FEW_ANSWERS
from medvid.benchmark.ranking import rank
from medvid.benchmark.series import SeriesRule
from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.comparisons import minimum_detectable
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.statistics.ranks import rank_statistics
from medvid.benchmark.tasks import METRICS, RANKINGS, Ranking
from services.ranker.board import Entry, ranked_board
from services.ranker.statistics import statistics_document
from tests.depth import examples
from tests.evidence import board_entry

RULES: Final = (SeriesRule(), SeriesRule("0abcdef0"), SeriesRule("1abcdef0", "ranked", "missing"))
Estimates = Mapping[UUID, Mapping[str, Estimate]]
VALUE: Final = st.fixed_dictionaries(
    {},
    optional={
        each.key: st.tuples(
            st.floats(each.minimum, each.maximum),
            st.sampled_from(["drawn", "imported", "withheld"]),
            st.sampled_from([3, 9, 40]),
        )
        for each in METRICS
    },
)


def made(own: Sequence[Mapping[str, tuple[float, str, int]]], seed: int) -> Any:
    """Return entries and the replicates of their values; a few are undefined, or too many."""
    dice = np.random.default_rng(seed)
    entries, found = [], {}
    for number, values in enumerate(own):
        exact = {key: value for key, (value, *_) in values.items()}
        hidden = {key for key, (_, how, _) in values.items() if how == "withheld"}
        entry = replace(board_entry(number, exact), withheld=dict.fromkeys(hidden, TOO_FEW_ANSWERS))
        entries.append(entry)
        found[entry.entry_id] = {
            key: Estimate(_draws(dice, value), clusters)
            for key, (value, how, clusters) in values.items()
            if how != "imported"
        }
    return entries, found


def _draws(dice: np.random.Generator, value: float) -> Any:
    draws = value + dice.normal(0, 0.05, 1000)
    draws[: dice.choice([0, 0, 10, 60])] = np.nan
    return draws


@settings(max_examples=examples(60), deadline=None)
@given(
    own=st.lists(VALUE, max_size=6),
    seed=st.integers(0, 9),
    ranking=st.sampled_from(RANKINGS),
    rule=st.sampled_from(RULES),
)
def test_the_servers_statistics_are_those_of_the_pure_functions(
    own: list[dict[str, tuple[float, str, int]]], seed: int, ranking: Ranking, rule: SeriesRule
) -> None:
    """The server reads values of 3 decimals from a snapshot; here they are exact."""
    entries, estimates = made(own, seed)
    board = ranked_board(entries, "compat", ranking, rule)
    drawn = {
        entry: {key: (each.replicates, asdict(interval(each))) for key, each in found.items()}
        for entry, found in estimates.items()
    }
    document = orjson.loads(statistics_document(board.content, ranking, drawn))
    assert document == expected(entries, estimates, ranking, rule)


def expected(
    entries: Sequence[Entry], estimates: Estimates, ranking: Ranking, rule: SeriesRule
) -> dict[str, Any]:
    given = [entry.ranked("compat", rule) for entry in entries]
    ranked, _ = rank(
        [{"model_name": e.model_name, **own} for e, own in zip(entries, given, strict=True)],
        ranking,
    )
    replicates = {
        n: {
            key: each.replicates
            for key, each in estimates[entry.entry_id].items()
            if given[n].get(key) is not None
        }
        for n, entry in enumerate(entries)
    }
    found = {}
    for row, firm in zip(ranked, rank_statistics(ranked, replicates, ranking), strict=True):
        entry = entries[row.index]
        shown = entry.shown("compat")
        intervals = {
            key: told(estimates[entry.entry_id][key])
            for key in estimates[entry.entry_id]
            if shown.get(key) is not None
        }
        found[str(entry.entry_id)] = {
            **asdict(firm),
            "intervals": {key: each for key, each in intervals.items() if each is not None},
        }
    ranking_ones = {row.index for row in ranked}
    detectable = {
        each.key: minimum_detectable(
            [
                own[each.key]
                for n, own in replicates.items()
                if n in ranking_ones and each.key in own
            ]
        )
        for each in METRICS
    }
    return {
        "entries": found,
        "minimum_detectable": {
            key: None if value is None else round(value, 4) + 0.0
            for key, value in detectable.items()
        },
    }


def told(estimate: Estimate) -> dict[str, Any] | None:
    """An interval as it leaves the server; None where it does not."""
    found = asdict(interval(estimate))
    if found["low"] is None or estimate.clusters < FEWEST_VIDEOS:
        return None
    return found | {key: round(found[key], 4) + 0.0 for key in ("se", "low", "high")}
