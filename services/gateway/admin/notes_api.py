"""Operations of administration: objections, notes on entries and boards, errata of snapshots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from medvid.models.notes import (
    ManagedNote,
    NoteAction,
    NoteKind,
    NotesPage,
    NoteState,
    NoteText,
)
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.entries_api import EntryId
from services.gateway.admin.models import Reason
from services.gateway.admin.notes import ManageNotes
from services.gateway.boards.names import BoardName, SnapshotId
from services.gateway.web.endpoints import ADMIN
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import PageQuery, id_reader
from services.gateway.web.router import PathText, Router

router: Final = Router("administration", access=ADMIN, reason=Reason)
NoteId = Annotated[UUID, Field(description="the note's id"), PathText(id_reader("note"))]


class NotesQuery(PageQuery):
    """Which notes are asked for."""

    kind: NoteKind | None = Field(None, description="of this kind")
    state: NoteState | None = Field(None, description="in this state")


class NoteBody(Reason):
    """Write a public note."""

    text: NoteText


class ErratumBody(NoteBody):
    """State that a snapshot is corrected by a later one."""

    corrected_by: int = Field(
        ge=1,
        lt=10**18,
        description="the number of a later snapshot of its board and scoring",
        examples=[999],
    )


class ResolutionBody(Reason):
    """Say in public what came of an objection or a note."""

    resolution: NoteText


@router.get("/admin/notes", reply="A page of them, newest first.")
async def list_notes(notes: ManageNotes, query: NotesQuery) -> NotesPage:
    """List objections, notes and errata.

    Also those that are not public: `state=open` are the objections that wait for a decision.
    """
    found = await notes.page(query.kind, query.state, position_of(query.cursor), query.limit + 1)
    shown, cursor = cut(found, query.limit, _cursor)
    return NotesPage(notes=list(shown), next_cursor=cursor)


def _cursor(note: ManagedNote) -> str:
    return cursor_of((note.created_at, note.id))


@router.post(
    "/admin/entries/{id}/notes", reply="The note, which is public.", problems=("entry_not_found",)
)
async def add_entry_note(
    notes: ManageNotes, id: EntryId, body: NoteBody, action: AdminAction
) -> NoteAction:
    """Write a public note on an entry.

    It stands on the entry's page and in its JSON, and stays where the entry leaves its board.
    """
    return await notes.add_to_entry(id, body.text, action)


@router.post(
    "/admin/boards/{board}/notes", reply="The note, which is public.", problems=("board_not_found",)
)
async def add_board_note(
    notes: ManageNotes, board: BoardName, body: NoteBody, action: AdminAction
) -> NoteAction:
    """Write a public note on a board.

    It stands on the board, until it is resolved or withdrawn, and among the changes.
    """
    return await notes.add_to_board(board, body.text, action)


@router.post(
    "/admin/snapshots/{id}/errata",
    reply="The erratum, which is public.",
    problems=("snapshot_not_found", "invalid_erratum"),
)
async def add_erratum(
    notes: ManageNotes, id: SnapshotId, body: ErratumBody, action: AdminAction
) -> NoteAction:
    """Correct a snapshot by a later one.

    Both name each other from then on, with what is known to have changed between them. Neither
    changes, and neither is thinned out.
    """
    return await notes.add_erratum(id, body.corrected_by, body.text, action)


Operation = Callable[..., Awaitable[Any]]


def _on_note(name: str) -> Callable[[Operation], Operation]:
    return router.post(
        f"/admin/notes/{{id}}/{name}",
        reply="The note as it is now.",
        problems=("note_not_found", "note_settled"),
    )


@_on_note("publish")
async def publish_note(notes: ManageNotes, id: NoteId, action: AdminAction) -> NoteAction:
    """Publish an objection.

    It stands on the entry's page, marks its row, and the entry's owner is notified, who may answer.
    """
    return await notes.publish(id, action)


@_on_note("refuse")
async def refuse_note(notes: ManageNotes, id: NoteId, action: AdminAction) -> NoteAction:
    """Leave an objection unpublished.

    Nobody but its author and administrators ever sees it.
    """
    return await notes.refuse(id, action)


@_on_note("resolve")
async def resolve_note(
    notes: ManageNotes, id: NoteId, body: ResolutionBody, action: AdminAction
) -> NoteAction:
    """Resolve an objection, or a note.

    What came of it stands beside it.
    """
    return await notes.resolve(id, body.resolution, action)


@_on_note("withdraw")
async def withdraw_note(notes: ManageNotes, id: NoteId, action: AdminAction) -> NoteAction:
    """Take back an objection, a note or an erratum.

    That there was one stays public, what it said does not.
    """
    return await notes.withdraw(id, action)
