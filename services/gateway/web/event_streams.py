"""What all event streams (SSE) share: where a client left off, and waiting for news."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import hdrs, web
from pydantic import Field

from medvid.models.base import Answer
from shared.runtime.errors import InvalidInput

_LARGEST_ID: Final = (1 << 63) - 1
_GONE_SECONDS: Final = 2.0
"""How often is looked whether a client has left, so that its place is free again."""


class EventHeaders(Answer):
    """The header with which a stream continues where it broke off."""

    last_event_id: str | None = Field(
        None, alias="Last-Event-ID", pattern=r"^[0-9]{0,18}$", description="the last id received"
    )


def last_event_id(request: web.Request) -> int | None:
    """Return where a client left off, None where it is new; raises InvalidInput."""
    given = request.headers.get(hdrs.LAST_EVENT_ID)
    if given is None:
        return None
    text = given.strip() or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _LARGEST_ID:
        raise InvalidInput(
            "the Last-Event-ID is not the id of an event.",
            fix="Send none.",
            code="invalid_query",
        )
    return int(text)


async def wait(woken: asyncio.Event) -> None:
    """Wait for news, but not for long: perhaps the client has left."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GONE_SECONDS):
            await woken.wait()
