"""Where a page of a list ends: the time and id of its last row, as one opaque word."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from shared.runtime.errors import InvalidInput

Position = tuple[datetime, UUID]
Row = TypeVar("Row")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIME_BYTES: Final = 8
_LENGTH: Final = 32


def cut(
    found: Sequence[Row], limit: int, cursor: Callable[[Row], str]
) -> tuple[Sequence[Row], str | None]:
    """Return a page of rows and the cursor of the next, None where there is none.

    `found` has one row more than `limit` where there is a next page.
    """
    shown = found[:limit]
    return shown, cursor(shown[-1]) if len(found) > limit else None


def cursor_of(position: Position) -> str:
    """Return the cursor of a row."""
    moment, row_id = position
    micros = (moment - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(micros.to_bytes(_TIME_BYTES, "big") + row_id.bytes).decode()


def position_of(cursor: str | None) -> Position | None:
    """Return the row that a cursor stands for; raises InvalidInput where no page gave it."""
    if cursor is None:
        return None
    if len(cursor) != _LENGTH:
        raise no_cursor()
    try:
        data = base64.b64decode(cursor, altchars=b"-_", validate=True)
        moment = _EPOCH + int.from_bytes(data[:_TIME_BYTES], "big") * _MICROSECOND
        return moment, UUID(bytes=data[_TIME_BYTES:])
    except (ValueError, OverflowError):
        raise no_cursor() from None


def no_cursor() -> InvalidInput:
    """Return the error for a cursor that none of our pages gave."""
    return InvalidInput(
        "the cursor is not one that a page gave.",
        fix="Send 'next_cursor' of the page before, or none for the first page.",
        code="invalid_query",
    )
