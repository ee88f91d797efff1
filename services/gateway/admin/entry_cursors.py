"""Where a page of entries by name ends: the last one's name key and id, as one opaque word."""

from __future__ import annotations

import base64
from uuid import UUID

from services.gateway.admin.rules import ManagedEntry
from services.gateway.web.paging import no_cursor

_ID_BYTES = 16


def entry_cursor(entry: ManagedEntry) -> str:
    """Return the cursor of an entry."""
    packed = entry.id.bytes + entry.name_key.encode()
    return base64.urlsafe_b64encode(packed).decode()


def after_entry(cursor: str | None) -> tuple[str, UUID] | None:
    """Return the name key and id that a cursor stands for; raises InvalidInput."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        # A key of Postgres text has no NUL; no cursor has one either.
        return packed[_ID_BYTES:].decode().replace("\0", ""), UUID(bytes=packed[:_ID_BYTES])
    except ValueError:
        raise no_cursor() from None
