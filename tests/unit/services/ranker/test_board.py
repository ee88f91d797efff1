"""A board's content: ranked rows, and apart from them those without any value."""

from __future__ import annotations

from dataclasses import replace

import orjson

from medvid.benchmark.disclosure import TOO_FEW_ANSWERS
from medvid.benchmark.series import SeriesRule
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS
from services.ranker.board import hypothetical_row, ranked_board
from tests.unit.services.ranker.test_difference import an_entry


def test_rows_without_any_value_are_kept_apart() -> None:
    entries = [an_entry("None", None), an_entry("Some", 0.5), an_entry("Also none", None)]
    board = ranked_board(entries, "strict", "competition")
    rows = orjson.loads(board.content)
    assert [(row["model_name"], row["rank"], row["mean_rank"]) for row in rows] == [("Some", 1, 1)]
    assert board.unranked is not None
    below = orjson.loads(board.unranked)
    assert [row["model_name"] for row in below] == ["Also none", "None"]
    assert below[0].keys() == rows[0].keys()
    assert {name: below[0][name] for name in ("rank", "mean_rank", "ranks", "values")} == {
        "rank": None,
        "mean_rank": None,
        "ranks": {},
        "values": dict.fromkeys(METRIC_KEYS),
    }
    assert board.ranks == {entries[1].entry_id: 1}


def test_a_board_of_ranked_rows_has_nothing_beside_them() -> None:
    assert ranked_board([an_entry("Some", 0.5)], "compat", "dense").unranked is None
    assert ranked_board([], "compat", "dense").unranked is None


def test_where_somebody_would_stand_counts_whom_the_board_ranks() -> None:
    entries = [an_entry("None", None), an_entry("Best", 0.9), an_entry("Last", 0.1)]
    row, count = hypothetical_row(entries, an_entry("New", 0.5), "compat", "competition", {})
    assert (orjson.loads(row)["rank"], count) == (2, 3)
    row, count = hypothetical_row(entries, an_entry("New", None), "compat", "competition", {})
    assert (orjson.loads(row)["rank"], count) == (None, 3)


def test_a_withheld_value_ranks_as_missing_and_is_nowhere_in_the_row() -> None:
    few = {"cvs_acc": TOO_FEW_ANSWERS}
    entries = [replace(an_entry("Few", 0.9), withheld=few), an_entry("Many", 0.5)]
    board = ranked_board(entries, "compat", "competition")
    first, second = orjson.loads(board.content)
    assert (first["model_name"], first["values"]["cvs_acc"], first["values"]["sa_acc"]) == (
        "Few", None, 0.9,
    )  # fmt: skip
    assert (first["ranks"]["cvs_acc"], second["ranks"]["cvs_acc"]) == (2, 1)
    assert first["withheld"] == few
    assert "withheld" not in second, "as the version before has it"


def test_an_entry_of_which_all_is_withheld_is_not_ranked() -> None:
    few = dict.fromkeys(METRIC_KEYS, TOO_FEW_ANSWERS)
    newcomer = replace(an_entry("Few", 0.9), withheld=few)
    board = ranked_board([newcomer, an_entry("Many", 0.5)], "compat", "competition")
    assert board.unranked is not None
    (row,) = orjson.loads(board.unranked)
    assert (row["rank"], row["withheld"]) == (None, few)
    assert set(row["values"].values()) == {None}
    alone, count = hypothetical_row([], newcomer, "compat", "competition", {})
    assert (orjson.loads(alone)["rank"], orjson.loads(alone)["withheld"], count) == (None, few, 1)
    other, _ = hypothetical_row([], an_entry("Many", 0.5), "compat", "competition", {})
    assert orjson.loads(other)["withheld"] == {}, "said even of none"


def test_a_value_of_another_judge_is_shown_and_ranks_as_missing() -> None:
    judged = [
        replace(an_entry(name, value), judges=dict.fromkeys(JUDGE_METRIC_KEYS, judge))
        for name, value, judge in (("Ours", 0.4, "a" * 16), ("Theirs", 0.9, "b" * 16))
    ]
    published = an_entry("Published", 0.6)
    board = ranked_board([*judged, published], "compat", "competition", SeriesRule("a" * 16))
    rows = {row["model_name"]: row for row in orjson.loads(board.content)}
    theirs = rows["Theirs"]
    assert theirs["not_ranked"] == dict.fromkeys(JUDGE_METRIC_KEYS, "other_judge")
    assert (theirs["values"]["vs_llm"], theirs["ranks"]["vs_llm"]) == (0.9, 3)
    assert [rows[name]["ranks"]["vs_llm"] for name in ("Published", "Ours")] == [1, 2]
    assert all("not_ranked" not in rows[name] for name in ("Ours", "Published"))
    both = ranked_board(judged, "compat", "competition", SeriesRule("a" * 16, "ranked"))
    assert orjson.loads(both.content)[0]["model_name"] == "Theirs"


def test_an_entry_that_has_values_of_another_judge_alone_is_shown_below_the_ranked() -> None:
    alone = an_entry("Theirs", None)
    values = {"compat": {**alone.values["compat"], "vs_llm": 4.00049}, "strict": {}}
    alone = replace(alone, values=values, judges={"vs_llm": "b" * 16})
    ours = an_entry("Ours", 0.5)
    board = ranked_board([alone, ours], "compat", "competition", SeriesRule("a" * 16))
    assert board.unranked is not None
    (row,) = orjson.loads(board.unranked)
    assert (row["rank"], row["ranks"], row["values"]["vs_llm"]) == (None, {}, 4.0)
    assert row["not_ranked"] == {"vs_llm": "other_judge"}
