"""Calls that bring results as files for other tools. All of them are public."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID

from medvid.api.calls import ServerReply, bytes_of, expect_success, get, text_of
from medvid.api.transport import Transport
from medvid.models.base import read_answer
from medvid.models.history import BoardRank

_LINES: Final = {"Accept": "application/jsonl"}
_NEXT: Final = re.compile(r'<([^>]*)>; rel="next"')


async def board_file(
    transport: Transport,
    name: str = "official",
    form: str = "csv",
    *,
    scoring: str = "compat",
    track: str | None = None,
    as_of: str | None = None,
) -> str:
    """Return a board as text: `csv`, `jsonl`, `markdown`, `latex`, `bibtex` or `cff`."""
    path = f"/leaderboards/{quote(name, safe='')}"
    call = get(path, format=form, scoring=scoring, track=track, as_of=as_of)
    return await transport.repeating(call, text_of)


async def entry_file(transport: Transport, board: str, entry: UUID | str, form: str) -> str:
    """Return an entry as text: `bibtex`, `eval-results`, `model-index` or `every-eval-ever`."""
    path = f"/leaderboards/{quote(board, safe='')}/entries/{entry}/export"
    return await transport.repeating(get(path, format=form), text_of)


async def history(transport: Transport, board: str = "official") -> AsyncGenerator[BoardRank, None]:
    """Yield the ranks that a board's entries had, entry by entry, the newest of each first."""
    call = replace(get(f"/leaderboards/{quote(board, safe='')}/history"), headers=_LINES)
    while True:
        reply = await transport.repeating(call, _whole)
        for line in reply.body.splitlines():
            yield read_answer(line, BoardRank)
        following = _NEXT.search(reply.headers.get("link", ""))
        if following is None:
            return
        call = replace(call, query=dict(parse_qsl(urlsplit(following[1]).query)))


async def results(transport: Transport) -> bytes:
    """Return all public results as JSON Lines: boards, their rows, and entries by source."""
    return await transport.repeating(replace(get("/results"), headers=_LINES), bytes_of)


def _whole(reply: ServerReply) -> ServerReply:
    expect_success(reply)
    return reply
