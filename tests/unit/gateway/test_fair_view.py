"""The fair view of second opinions rests on nothing that is withheld, and on what ranks alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.disclosure import withheld_sources
from medvid.benchmark.statistics.second_opinions import fair_view
from services.gateway.boards.models import leaderboard
from services.gateway.boards.second_opinions import second_opinions
from services.gateway.boards.store import Snapshot
from tests.acceptance.gateway_harness import row
from tests.depth import examples

METRIC: Final = "cvs_acc"
SOURCES: Final = ("AVOS", "CoPESD", "JIGSAWS", "NurViD")
PART: Final = st.tuples(st.floats(0, 1), st.integers(0, 60))
ENTRIES: Final = st.lists(
    st.dictionaries(st.sampled_from(SOURCES), PART, min_size=1), min_size=2, max_size=5
)


def fair(entries: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[float | None]:
    """The fair view of entries, each with its values by source of one metric."""
    moment = datetime(2026, 4, 15, tzinfo=UTC)
    board = leaderboard(Snapshot(7, "community", "compat", 1, orjson.dumps(rows), moment))
    scores = [
        {
            "entry_id": entry.entry_id,
            "metric": METRIC,
            "by_source": orjson.dumps(each),
            "panel": b'{"members": null}',
        }
        for entry, each in zip(board.entries, entries, strict=True)
    ]
    return [each.fair for each in second_opinions(board, scores).entries]


def ranked(count: int) -> list[dict[str, Any]]:
    return [row(place, model_name=f"M{place}") for place in range(1, count + 1)]


def parts(own: dict[str, tuple[float, int]]) -> dict[str, Any]:
    return {
        source: {"compat": value, "answered": answered, "samples": 60}
        for source, (value, answered) in own.items()
    }


@settings(max_examples=examples(60), deadline=None)
@given(drawn=ENTRIES)
def test_sources_that_are_withheld_are_left_out(
    drawn: list[dict[str, tuple[float, int]]],
) -> None:
    """What is withheld might be anything: the view is the same, and that of what is shown."""
    entries = [parts(own) for own in drawn]
    hidden = [
        {source for source, why in withheld_sources(None, each).items() if why} for each in entries
    ]
    turned = [
        {
            source: {**part, "compat": 1 - part["compat"]} if source in withheld else part
            for source, part in each.items()
        }
        for each, withheld in zip(entries, hidden, strict=True)
    ]
    rows = ranked(len(entries))
    found = fair(entries, rows)
    assert found == fair(turned, rows)
    shown = [
        {METRIC: {s: part["compat"] for s, part in each.items() if s not in withheld}}
        for each, withheld in zip(entries, hidden, strict=True)
    ]
    again = [None if value is None else round(value, 4) for value in fair_view(shown)]
    assert found == again


def test_a_withheld_or_unranked_value_has_no_part_in_it() -> None:
    whole = [parts({"AVOS": (0.2 * n, 60), "CoPESD": (0.1 * n, 60)}) for n in range(1, 4)]
    rows = ranked(3)
    assert None not in fair(whole, rows)
    rows[0]["values"] = {**rows[0]["values"], METRIC: None}
    rows[0]["withheld"] = {METRIC: "too_few_answers"}
    assert fair(whole, rows)[0] is None
