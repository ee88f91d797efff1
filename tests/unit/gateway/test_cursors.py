"""Cursors come back as they went out, and whatever else comes back is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.web.paging import cursor_of, position_of
from shared.runtime.errors import InvalidInput


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - UTC
    st.uuids(),
)
def test_a_cursor_stands_for_its_row(moment: datetime, row: UUID) -> None:
    assert position_of(cursor_of((moment, row))) == (moment, row)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é" * 32, "=" * 32, "A" * 31, "A" * 33, "_" * 32, " " * 32, "A" * 100_000],
)
def test_any_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        position_of(cursor)
    assert refusal.value.error_code == "invalid_query"


def test_no_cursor_is_the_first_page() -> None:
    assert position_of(None) is None
    assert cursor_of((datetime(2026, 1, 1, tzinfo=UTC), uuid4())).isascii()
