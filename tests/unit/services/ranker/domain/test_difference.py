"""A difference is the board's own ranking before and after, of every entry."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from services.ranker.domain.board import Entry
from services.ranker.domain.difference import board_difference
from services.ranker.domain.ranking import rank
from shared.benchmark.tasks import METRIC_KEYS, SCORINGS


def an_entry(name: str, value: float) -> Entry:
    values = dict.fromkeys(METRIC_KEYS, value)
    return Entry(
        entry_id=uuid4(), submission_id=None, model_name=name, organization="", team=None,
        authors=None, model_url=None, track=None, badges=(), submitted_on=date(2026, 1, 1),
        verified_on=None, values=dict.fromkeys(SCORINGS, values),
    )  # fmt: skip


def test_an_entry_that_is_not_scored_anew_moves_with_the_others() -> None:
    entries = [an_entry("A", 0.9), an_entry("B", 0.5), an_entry("C", 0.1)]
    new = {
        entries[2].entry_id: {
            "compat": dict.fromkeys(METRIC_KEYS, 1.0),
            "strict": {"cvs_acc": 0.1, "nap_acc": None},
        }
    }
    shown = board_difference(entries, new)  # type: ignore[arg-type]
    compat = {row["model_name"]: row for row in shown["compat"]}  # type: ignore[index, call-overload]
    assert list(compat) == ["C", "A", "B"]
    assert compat["C"]["rank"] == {"before": 3, "after": 1}
    assert compat["A"]["rank"] == {"before": 1, "after": 2}
    assert compat["A"]["values"] == {}
    assert [compat[name]["rescored"] for name in "ABC"] == [False, False, True]
    strict = {row["model_name"]: row for row in shown["strict"]}  # type: ignore[index, call-overload]
    assert strict["C"]["values"] == {"nap_acc": {"before": 0.1, "after": None}}, "and cvs_acc stays"
    after = rank(
        {"model_name": entry.model_name, **entry.values["strict"]} | (
            {"nap_acc": None} if entry.model_name == "C" else {}
        ) for entry in entries
    )  # fmt: skip
    for row in after:
        assert strict[row.model_name]["mean_rank"]["after"] == row.mean_rank


def test_of_nothing_there_is_none() -> None:
    assert board_difference([], {}) == {"compat": [], "strict": []}
