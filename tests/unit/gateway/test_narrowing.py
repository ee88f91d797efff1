"""Boards narrowed by facts: rows, ranks and addresses."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.ranking import rank
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import LeaderboardEntry
from medvid.models.facts import BoardFacts, FactFilters
from services.gateway.boards.cursors import BoardCursor
from services.gateway.boards.models import MeasuredBoard, page_of
from services.gateway.boards.narrowing import WHOLE_BOARD, Narrowing
from services.gateway.pages.board_view import View
from shared.runtime.errors import InvalidInput

VALUES = st.sampled_from([None, 0.1, 0.2, 0.3])
ROWS = st.lists(
    st.tuples(st.lists(VALUES, min_size=10, max_size=10), st.sampled_from([None, True, False])),
    max_size=8,
)


def ranked_board(rows: list[tuple[list[float | None], bool | None]]) -> MeasuredBoard:
    """A board of these values, each with what is stated of its weights."""
    values = [dict(zip(METRIC_KEYS, row, strict=True)) for row, _ in rows]
    placed, unranked = rank([{"model_name": f"M{n}", **each} for n, each in enumerate(values)])
    common: dict[str, Any] = {"organization": "Lab", "submitted_on": "2026-04-15"}

    def entry(index: int, **place: Any) -> LeaderboardEntry:
        is_open = rows[index][1]
        facts = None if is_open is None else BoardFacts(open_weights=is_open)
        return LeaderboardEntry(
            entry_id=uuid4(), model_name=f"M{index}", values=values[index], facts=facts,
            **common, **place,
        )  # fmt: skip

    entries = [
        entry(row.index, rank=row.rank, mean_rank=row.mean_rank, ranks=row.ranks) for row in placed
    ] + [entry(index, rank=None, mean_rank=None, ranks={}) for index in unranked]
    board = MeasuredBoard.empty("community", "compat")
    return board.model_copy(update={"snapshot": 7, "entries": entries, "total": len(entries)})


def page(board: MeasuredBoard, narrowing: Narrowing, **more: Any) -> MeasuredBoard:
    given = {"track": None, "offset": 0, "limit": None, "form": "json", **more}
    return page_of(board, narrowing=narrowing, **given)


@given(ROWS, st.booleans())
def test_filters_narrow_and_keep_ranks_and_rerank_adds_a_place_among_those_shown(
    rows: list[tuple[list[float | None], bool | None]], wanted: bool
) -> None:
    board, filters = ranked_board(rows), FactFilters(open_weights=wanted)
    shown = page(board, Narrowing(filters))
    assert shown.entries == [
        entry for entry in board.entries if entry.facts and entry.facts.open_weights is wanted
    ]
    assert (shown.total, shown.view) == (len(shown.entries), None)
    assert shown.filters == {"open_weights": wanted}
    assert page(board, WHOLE_BOARD).entries == board.entries

    anew = page(board, Narrowing(filters, rerank=True))
    assert anew.view is not None
    assert anew.view.by == "filters"
    plain = {entry.entry_id: entry for entry in shown.entries}
    assert {entry.entry_id for entry in anew.entries} == set(plain)
    placed, _ = rank([{"model_name": entry.model_name, **entry.values} for entry in shown.entries])
    expected = {shown.entries[row.index].entry_id: row.rank for row in placed}
    for entry in anew.entries:
        assert entry.view_rank == expected.get(entry.entry_id)
        board_own = entry.model_copy(update={"view_rank": None, "view_mean_rank": None})
        assert board_own == plain[entry.entry_id]


def test_the_next_page_is_of_the_same_models() -> None:
    rows: list[tuple[list[float | None], bool | None]] = [
        ([0.1] * 10, n % 2 == 0 or None) for n in range(9)
    ]
    board = ranked_board(rows)
    narrowing = Narrowing(FactFilters(open_weights=True, max_params=None), rerank=True)
    first = page(board, narrowing, limit=2)
    assert first.next is not None
    ((_, text),) = parse_qsl(first.next.partition("?")[2])
    cursor = BoardCursor.read(text)
    assert Narrowing.in_cursor(cursor.narrowed) == narrowing
    rest = page(board, Narrowing.in_cursor(cursor.narrowed), offset=cursor.offset)
    assert [*first.entries, *rest.entries] == page(board, narrowing).entries


def test_an_address_says_the_same_as_its_view() -> None:
    asked = {"max_params": "8e9", "licence": "MIT", "released_after": "2025-01-01", "track": "x"}
    found = Narrowing.in_address({**asked, "open_weights": "", "rerank": "true"})
    assert found.filters.asked() == {
        "max_params": 8e9, "licence": "MIT", "released_after": "2025-01-01",
    }  # fmt: skip
    view = View.of([("track", "x")], found.filters, rerank=found.rerank)
    assert Narrowing.in_address(dict(parse_qsl(view.query))) == found
    assert Narrowing.in_address({}) == WHOLE_BOARD
    assert WHOLE_BOARD.text == View().query == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("open_weights", "maybe"),
        ("max_params", "8 B"),
        ("max_params", "nan"),
        ("min_params", "0"),
        ("access", "cloud"),
        ("trained_on_source", "Kinetics"),
        ("released_after", "2025"),
        ("rerank", "2"),
    ],
)
def test_a_filter_that_is_none_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        Narrowing.in_address({name: text})
    with pytest.raises(InvalidInput, match="cursor"):
        Narrowing.in_cursor(f"{name}={text}")
