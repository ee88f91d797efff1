"""Calls about objections, notes and errata of every state."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from medvid.api.administration.actions import PAGE_SIZE, do
from medvid.api.calls import EntryId, get
from medvid.api.methods import method, stream
from medvid.api.notes import NoteId
from medvid.api.transport import Transport
from medvid.models.notes import ManagedNote, NoteAction, NotesPage


async def notes(
    transport: Transport, *, kind: str | None = None, state: str | None = None
) -> AsyncGenerator[ManagedNote, None]:
    """Yield objections, notes and errata of every state, newest first."""
    call = get("/admin/notes", kind=kind, state=state, limit=PAGE_SIZE)
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


class NoteMethods:
    """Calls about notes, in the form of the client that has them."""

    add_note = method(add_note)
    add_erratum = method(add_erratum)
    publish_note = method(publish_note)
    refuse_note = method(refuse_note)
    resolve_note = method(resolve_note)
    withdraw_note = method(withdraw_note)
    notes = stream(notes)
