"""Server-Sent Events out of bytes, as the HTML standard has them (9.2.6)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\r(?!\Z)|\n")
"""A carriage return at the end of what has come may be half of a line's end."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One message; `id` is the last one the stream named, "" before any."""

    id: str
    kind: str
    data: str


async def messages(chunks: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    """Yield the messages of a stream; one that the stream's end cuts off is dropped."""
    last_id, kind, data = "", "", list[str]()
    async for line in _lines(chunks):
        if not line:
            if data:
                yield ServerSentEvent(last_id, kind or "message", "\n".join(data))
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                data.append(value)
            case "event":
                kind = value
            case "id" if "\0" not in value:
                last_id = value


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = _LINE_END.split(rest + chunk)
        for line in lines:
            yield line.decode(errors="replace")
