"""A difference is the board's own ranking before and after, of every entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import uuid4

from medvid.benchmark.disclosure import TOO_FEW_ANSWERS
from medvid.benchmark.ranking import rank
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS
from services.ranker.board import Entry
from services.ranker.difference import NewScores, board_difference


def an_entry(name: str, value: float | None) -> Entry:
    values = dict.fromkeys(METRIC_KEYS, value)
    return Entry(
        entry_id=uuid4(), submission_id=None, model_name=name, organization="", team=None,
        authors=None, model_url=None, track=None, badges=(), submitted_on=date(2026, 1, 1),
        verified_on=None, values=dict.fromkeys(SCORINGS, values),
    )  # fmt: skip


def test_an_entry_that_is_not_scored_anew_moves_with_the_others() -> None:
    entries = [an_entry("A", 0.9), an_entry("B", 0.5), an_entry("C", 0.1)]
    new = {
        entries[2].entry_id: NewScores(
            {
                "compat": dict.fromkeys(METRIC_KEYS, 1.0),
                "strict": {"cvs_acc": 0.1, "nap_acc": None},
            }
        )
    }
    shown = board_difference(entries, new, "competition")
    compat = {row["model_name"]: row for row in shown["compat"]}  # type: ignore[index, call-overload]
    assert list(compat) == ["C", "A", "B"]
    assert compat["C"]["rank"] == {"before": 3, "after": 1}
    assert compat["A"]["rank"] == {"before": 1, "after": 2}
    assert compat["A"]["values"] == {}
    assert [compat[name]["rescored"] for name in "ABC"] == [False, False, True]
    strict = {row["model_name"]: row for row in shown["strict"]}  # type: ignore[index, call-overload]
    assert strict["C"]["values"] == {"nap_acc": {"before": 0.1, "after": None}}, "and cvs_acc stays"
    after, _ = rank(
        {"model_name": entry.model_name, **entry.values["strict"]} | (
            {"nap_acc": None} if entry.model_name == "C" else {}
        ) for entry in entries
    )  # fmt: skip
    for row in after:
        assert strict[row.model_name]["mean_rank"]["after"] == row.mean_rank


def test_who_gets_a_first_value_or_loses_the_last_has_no_rank_on_one_side() -> None:
    entries = [an_entry("A", 0.9), an_entry("B", None)]
    new = {
        entries[0].entry_id: NewScores(dict.fromkeys(SCORINGS, dict.fromkeys(METRIC_KEYS))),
        entries[1].entry_id: NewScores(dict.fromkeys(SCORINGS, dict.fromkeys(METRIC_KEYS, 0.5))),
    }
    shown = board_difference(entries, new, "competition")["strict"]
    told = [(row["model_name"], row["rank"], row["mean_rank"]) for row in shown]  # type: ignore[index]
    assert told == [
        ("B", {"before": None, "after": 1}, {"before": None, "after": 1.0}),
        ("A", {"before": 1, "after": None}, {"before": 1.0, "after": None}),
    ]


def test_ranks_are_those_that_boards_show_and_values_are_exact() -> None:
    few = dict.fromkeys(METRIC_KEYS, TOO_FEW_ANSWERS)
    entries = [replace(an_entry("A", 0.123456), withheld=few), an_entry("B", 0.1)]
    shown = board_difference(entries, {}, "competition")["compat"]
    assert [row["rank"]["before"] for row in shown] == [1, None]  # type: ignore[index]
    values = dict.fromkeys(SCORINGS, dict.fromkeys(METRIC_KEYS, 0.234567))
    new = {entries[0].entry_id: NewScores(values)}
    answered = board_difference(entries, new, "competition")["compat"][0]
    assert answered["rank"] == {"before": None, "after": 1}  # type: ignore[index]
    assert answered["values"]["cvs_acc"] == {"before": 0.123456, "after": 0.234567}  # type: ignore[index]


def test_of_nothing_there_is_none() -> None:
    assert board_difference([], {}, "competition") == {"compat": [], "strict": []}
