"""Where a board that is read in pages goes on: bound to a snapshot, so that nothing moves."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from shared.runtime.errors import InvalidInput

_VERSION: Final = 1
_MORE: Final = 2
_LARGEST: Final = 1 << 62

Form = Literal["json", "csv", "jsonl", "markdown", "latex", "bibtex", "cff"]
"""In what form a board is asked for."""
TableForm = Literal["json", "csv"]
"""The same of what is a table of its own."""


@dataclass(frozen=True, slots=True)
class BoardCursor:
    """The next page of a board: from which snapshot, after how many rows, how many, which track.

    `weights` are a reader's, as text; `narrowed` is the part of a query that narrows by facts.
    """

    snapshot_id: int
    offset: int
    limit: int
    track: str | None
    weights: str | None = None
    narrowed: str | None = None

    def text(self) -> str:
        """Return it as it stands in an address: opaque to everyone but `read`."""
        parts = [_VERSION, self.snapshot_id, self.offset, self.limit, self.track]
        # As without them before there were any.
        if self.weights is not None or self.narrowed is not None:
            parts.append(self.weights)
        if self.narrowed is not None:
            parts.append(self.narrowed)
        return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()

    @classmethod
    def read(cls, text: str) -> BoardCursor:
        """Return the cursor that `text` was made from; raises InvalidInput for any other text."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
            raise invalid_cursor() from None
        match parts:
            case [version, int(snapshot_id), int(offset), int(limit), str() | None as track, *more]:
                if len(more) > _MORE or not all(isinstance(each, str | None) for each in more):
                    raise invalid_cursor()
                found = cls(snapshot_id, offset, limit, track, *more)
                numbers = (snapshot_id, offset, limit)
                if version == _VERSION and all(0 < number < _LARGEST for number in numbers):
                    return found
        raise invalid_cursor()


def invalid_cursor() -> InvalidInput:
    """Return the refusal of a text that is no cursor."""
    return InvalidInput(
        "the cursor is not one that a page named.",
        fix="Send one from 'next' as it is, or leave it out to begin at the top.",
        code="invalid_cursor",
    )
