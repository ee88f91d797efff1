"""Cursors, moments and cells: what boards' addresses and tables are made of."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.spreadsheets import cell, table
from services.gateway.boards.cursors import BoardCursor
from services.gateway.boards.moments import read_as_of
from services.gateway.web.negotiation import negotiate
from shared.runtime.errors import InvalidInput

NUMBERS = st.integers(1, 10**15)


@given(NUMBERS, NUMBERS, NUMBERS, st.none() | st.text(st.characters(codec="utf-8"), max_size=100))
def test_a_cursor_survives_its_address(
    snapshot: int, offset: int, limit: int, track: str | None
) -> None:
    cursor = BoardCursor(snapshot, offset, limit, track)
    assert BoardCursor.read(cursor.text()) == cursor


@given(st.text(max_size=60) | st.from_regex(r"\A[A-Za-z0-9_-]{1,60}\Z"))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput):
        BoardCursor.read(text)


@given(st.text(max_size=40) | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:+.Zz ]{1,20}\Z"))
def test_as_of_is_a_moment_a_number_or_refused(text: str) -> None:
    try:
        found = read_as_of(text)
    except InvalidInput:
        return
    assert isinstance(found, int) or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("42", 42),
        ("2026-04-15", datetime(2026, 4, 15, 23, 59, 59, 999_999, UTC)),
        ("2026-04-15T10:00", datetime(2026, 4, 15, 10, tzinfo=UTC)),
        ("2026-04-15t10:00:01.5z", datetime(2026, 4, 15, 10, 0, 1, 500_000, UTC)),
        ("2026-04-15T10:00:00-02:30", datetime(2026, 4, 15, 12, 30, tzinfo=UTC)),
        ("2026-04-15T10:00:00 02:00", datetime(2026, 4, 15, 8, tzinfo=UTC)),
        ("2026-04-15 10:00", datetime(2026, 4, 15, 10, tzinfo=UTC)),
    ],
)
def test_moments(text: str, found: object) -> None:
    assert read_as_of(text) == found


@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01T00:00+23:59", "1" * 19, "²"])
def test_the_ends_of_time_are_no_failure(text: str) -> None:
    try:
        read_as_of(text)
    except InvalidInput:
        return


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json, text/csv", "application/json"),
        ("application/json;q=0.5, text/csv;q=0.6", "text/csv"),
        ("application/json;q=0, */*", "text/csv"),
        ("TEXT/CSV; charset=utf-8; q=1", "text/csv"),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("", "application/json"),
        (",,", "application/json"),
        ("nonsense", None),
    ],
)
def test_negotiation(accept: str, chosen: str | None) -> None:
    assert negotiate(accept, ("application/json", "text/csv")) == chosen


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "  =1", "\uff1d1"])
def test_what_looks_like_a_formula_is_quoted(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_other_cells_stay() -> None:
    assert [cell(value) for value in ("a=b", "", 1, -0.5, None, "a\0")] == [
        "a=b", "", 1, -0.5, None, "a\ufffd",
    ]  # fmt: skip
    assert table(["a", "b"], [['x"y', None]]) == 'a,b\r\n"x""y",\r\n'
