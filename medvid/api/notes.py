"""Calls about objections, and about what changed on boards."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import quote
from uuid import UUID

from medvid.api.calls import get, post
from medvid.api.jobs import EntryId, do
from medvid.api.transport import Transport
from medvid.models.notes import (
    ChangesAnswer,
    ManagedNote,
    NoteAction,
    NotesPage,
    Objection,
    Objections,
)

NoteId = UUID | str
_PAGE_SIZE = 200


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


async def notes(
    transport: Transport, *, kind: str | None = None, state: str | None = None
) -> AsyncGenerator[ManagedNote, None]:
    """Yield objections, notes and errata of every state, newest first."""
    call = get("/admin/notes", kind=kind, state=state, limit=_PAGE_SIZE)
    async for page in transport.pages(call, NotesPage):
        for note in page.notes:
            yield note


async def add_note(
    transport: Transport,
    text: str,
    *,
    why: str,
    board: str | None = None,
    entry: EntryId | None = None,
) -> NoteAction:
    """Write a public note on a board, or on an entry."""
    if (board is None) == (entry is None):
        raise ValueError("a note is on a board or on an entry")
    path = f"/boards/{board}/notes" if entry is None else f"/entries/{entry}/notes"
    return await do(transport, path, NoteAction, why, text=text)


async def add_erratum(
    transport: Transport, snapshot: int, corrected_by: int, text: str, *, why: str
) -> NoteAction:
    """State that a snapshot is corrected by a later one of its board and scoring."""
    path = f"/snapshots/{snapshot}/errata"
    return await do(transport, path, NoteAction, why, text=text, corrected_by=corrected_by)


async def publish_note(transport: Transport, note: NoteId, *, why: str) -> NoteAction:
    """Publish an objection."""
    return await do(transport, f"/notes/{note}/publish", NoteAction, why)


async def refuse_note(transport: Transport, note: NoteId, *, why: str) -> NoteAction:
    """Leave an objection unpublished."""
    return await do(transport, f"/notes/{note}/refuse", NoteAction, why)


async def resolve_note(
    transport: Transport, note: NoteId, resolution: str, *, why: str
) -> NoteAction:
    """Say in public what came of an objection or a note."""
    return await do(transport, f"/notes/{note}/resolve", NoteAction, why, resolution=resolution)


async def withdraw_note(transport: Transport, note: NoteId, *, why: str) -> NoteAction:
    """Take back an objection, a note or an erratum that is public."""
    return await do(transport, f"/notes/{note}/withdraw", NoteAction, why)
