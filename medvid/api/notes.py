"""Calls about objections, and about what changed on boards."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from medvid.api.calls import EntryId, get, post
from medvid.api.transport import Transport
from medvid.models.notes import ChangesAnswer, Objection, Objections

NoteId = UUID | str


async def changes(transport: Transport, board: str | None = None) -> ChangesAnswer:
    """Return what changed on a board, or on both, apart from entries; and the errata."""
    return await transport.ask(get("/changes", board=board), ChangesAnswer)


async def object_to(
    transport: Transport, board: str, entry: EntryId, text: str, *, name: str | None = None
) -> Objection:
    """File an objection to an entry with your key; with a `name`, it is shown under it."""
    path = f"/leaderboards/{quote(board, safe='')}/entries/{quote(str(entry), safe='')}/objections"
    body = {"text": text} | ({"name": name} if name else {})
    # The same objection again is the same one.
    return await transport.ask(post(path, body, repeatable=True), Objection)


async def objections(transport: Transport) -> Objections:
    """Return the objections that were filed with your key."""
    return await transport.ask(get("/objections"), Objections)


async def objection(transport: Transport, objection: NoteId) -> Objection:
    """Return an objection that is published, or yours."""
    return await transport.ask(get(_path(objection)), Objection)


async def withdraw_objection(transport: Transport, objection: NoteId) -> Objection:
    """Take an objection of yours back."""
    call = post(f"{_path(objection)}/withdraw", repeatable=True)
    return await transport.ask(call, Objection)


async def answer_objection(
    transport: Transport, objection: NoteId, text: str, *, token: str | None = None
) -> Objection:
    """Answer a published objection to your entry, once."""
    call = post(f"{_path(objection)}/answer", {"text": text}, token=token, repeatable=True)
    return await transport.ask(call, Objection)


def _path(objection: NoteId) -> str:
    return f"/objections/{quote(str(objection), safe='')}"
