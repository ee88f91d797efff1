"""How a message that is given up is recorded, whatever is in it or in the words about it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from shared.storage.database import Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries("shared.storage")
_LARGEST: Final = (1 << 31) - 1


def storable(text: str) -> str:
    """Return a text as Postgres takes it: NUL and halves of surrogate pairs appear escaped."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


async def bury(
    transaction: Transaction,
    queue: str,
    message_id: UUID,
    message_type: str | None,
    *,
    code: str,
    detail: str,
    attempts: int,
    body: bytes,
) -> None:
    """Record a dead letter, once."""
    await transaction.connection.execute(
        _SQL["dead_letter_add"],
        queue,
        message_id,
        None if message_type is None else storable(message_type),
        code,
        storable(detail),
        min(attempts, _LARGEST),
        body,
    )
