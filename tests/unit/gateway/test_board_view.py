"""Views of a board: what an address asks for, what it shows, in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.tasks import METRIC_KEYS, Board
from medvid.models.facts import BoardFacts
from services.gateway.pages.board_view import SORT_KEYS, Sheet, View, searched_text, tracks


@dataclass(frozen=True)
class Row:
    rank: int | None
    model_name: str
    values: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(METRIC_KEYS))
    organization: str = "Lab"
    team: str | None = None
    authors: str | None = None
    track: str | None = None
    badges: tuple[str, ...] = ()
    mean_rank: float | None = 1.0
    view_rank: int | None = None
    view_mean_rank: float | None = None
    submitted_on: date = date(2026, 4, 15)
    verified_on: date | None = None
    facts: BoardFacts | None = None


def rows_with(*values: float | None) -> list[Row]:
    return [
        Row(rank, f"Model {rank}", dict.fromkeys(METRIC_KEYS, value))
        for rank, value in enumerate(values, 1)
    ]


def ranks(view: View, rows: list[Row], board: Board = "community") -> list[int | None]:
    return [rows[place].rank for place in Sheet(rows, board).ordered(view)]


def shows(view: View, row: Row) -> bool:
    return Sheet([row], "community").shown(view) == {0}


def test_missing_values_are_last_in_either_direction_and_ties_keep_their_rank() -> None:
    rows = rows_with(0.5, None, 0.9, 0.5, None)
    assert ranks(View(sort="cvs_acc", descending=True), rows) == [3, 1, 4, 2, 5]
    assert ranks(View(sort="cvs_acc"), rows) == [1, 4, 3, 2, 5]


@pytest.mark.parametrize("key", SORT_KEYS)
@pytest.mark.parametrize("descending", [False, True])
def test_who_is_not_ranked_stays_below_however_it_is_sorted(key: str, descending: bool) -> None:
    rows = [
        Row(1, "B", dict.fromkeys(METRIC_KEYS, 0.5)),
        Row(2, "C"),
        Row(None, "A", mean_rank=None, submitted_on=date(2027, 1, 1)),
        Row(None, "D", mean_rank=None, submitted_on=date(2025, 1, 1)),
    ]
    found = ranks(View(sort=key, descending=descending), rows)
    assert found[2:] == [None, None]
    assert sorted(rank for rank in found if rank) == [1, 2]


def test_names_are_ordered_without_case() -> None:
    rows = [Row(1, "beta"), Row(2, "Alpha"), Row(3, "alpha"), Row(4, "Émile")]
    assert ranks(View(sort="model"), rows) == [2, 3, 1, 4]


def test_the_official_board_is_ordered_by_the_day_of_verification() -> None:
    rows = [Row(1, "a", verified_on=date(2026, 5, 1)), Row(2, "b", verified_on=date(2026, 5, 3))]
    view = View(sort="date", descending=True)
    assert ranks(view, rows, "official") == [2, 1]


def test_a_search_wants_every_word_anywhere_in_the_row() -> None:
    row = Row(1, "Qwen3VL-4B", organization="UII", team="SFT team", badges=("stub judge",))
    assert shows(View(search="sft qwen STUB"), row)
    assert not shows(View(search="qwen gpt"), row)
    assert not shows(View(track="endoscopy"), row)
    assert "uii" in searched_text(row)
    assert shows(View(search="QWEN3VL\u20114b  sft"), row)
    assert shows(View(search="qwen3vl-4"), Row(1, "Qwen3VL\u20134B"))
    assert tracks([row, Row(2, "b", track="x"), Row(3, "c", track="a")]) == ["a", "x"]


def test_a_header_asks_for_its_better_end_first() -> None:
    assert View().next_sorting("cvs_acc") == "-cvs_acc"
    assert View(sort="cvs_acc", descending=True).next_sorting("cvs_acc") == "cvs_acc"
    assert View().next_sorting("mean_rank") == "mean_rank"
    assert View().next_sorting("rank") == "-rank"


def test_what_an_address_names_and_we_do_not_have_is_left_out() -> None:
    query = [("sort", "nonsense"), ("columns", "nope,"), ("q", ""), ("page", "7")]
    assert View.of(query) == View()


def test_a_form_without_scripts_sends_the_order_twice_and_columns_one_by_one() -> None:
    query = [("sort", "cvs_acc"), ("columns", "sa_acc"), ("columns", "cvs_acc"), ("sort", "-model")]
    view = View.of(query)
    assert (view.sort, view.descending) == ("model", True)
    assert view.columns == ("cvs_acc", "sa_acc")


def test_every_column_of_a_form_is_no_choice_but_all_of_them_by_name_is() -> None:
    assert View.of([("columns", key) for key in METRIC_KEYS]) == View()
    everything = View.of([("columns", "all")])
    assert (everything.columns, everything.query) == (METRIC_KEYS, "columns=all")
    assert View().columns == METRIC_KEYS
    assert (View().single, View(chosen=("cvs_acc",)).single) == (None, "cvs_acc")


@given(
    search=st.text(max_size=30),
    track=st.text(max_size=10),
    sort=st.sampled_from(SORT_KEYS),
    descending=st.booleans(),
    columns=st.sets(st.sampled_from(METRIC_KEYS), min_size=1),
)
def test_a_view_survives_its_address(
    search: str, track: str, sort: str, descending: bool, columns: set[str]
) -> None:
    ordered = tuple(key for key in METRIC_KEYS if key in columns)
    view = View(" ".join(search.split()), track, sort, descending, ordered)
    try:
        query = view.query
    except UnicodeEncodeError:
        pytest.skip("half a surrogate pair is in no address")
    assert View.of(parse_qsl(query)) == view
