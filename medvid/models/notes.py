"""Objections, notes and errata: what is said about results; and what changed on boards."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from medvid.benchmark.names import check_lines
from medvid.benchmark.tasks import Board
from medvid.models.base import SCHEMA_MEANING, SCHEMA_VERSION, Answer, Open, Page

NoteKind = Literal["objection", "note", "erratum"]
NoteState = Literal["open", "published", "resolved", "refused", "withdrawn"]
Cause = Literal["rule", "metric", "ground_truth", "judge"]
LONGEST_NOTE: Final = 4_000
LONGEST_NAME: Final = 200
OBJECTION: Final = "objection"
OBJECTION_RESOLVED: Final = "objection resolved"
"""Badges of an entry with a published objection: one that stands, or none but resolved ones."""


def _plain(text: str) -> str:
    """Return a text as it is stored; browsers end lines of a form with two characters."""
    return check_lines(text.replace("\r\n", "\n"))


NoteText = Annotated[
    str,
    AfterValidator(_plain),
    Field(
        max_length=LONGEST_NOTE,
        description="plain text; addresses become links",
        examples=["See https://example.org/details"],
    ),
]
"""What somebody says in public, in a request."""


def objection_badges(states: Collection[str]) -> tuple[str, ...]:
    """Return the badges of an entry that has objections in these states."""
    if "published" in states:
        return (OBJECTION,)
    return (OBJECTION_RESOLVED,) if "resolved" in states else ()


class BoardChange(Answer):
    """A change of what a board's numbers rest on: those before and after it do not compare."""

    id: UUID
    kind: Open[Cause] = Field(
        description="the ranking rule, the metrics' code, the ground truth, or the judge"
    )
    board: Open[Board]
    at: datetime
    before: list[str] = Field(description="versions, hashes or settings, as they were")
    after: list[str] = Field(description="the same, as they are from then on")
    text: str = Field(description="the same as a sentence")
    snapshot: str = Field(description="the first board that shows it, while that is kept")
    page: str = Field(description="the same for people")


class NamedSnapshot(Answer):
    """A snapshot, where it can be read."""

    number: int
    url: str
    page: str


class NoteReply(Answer):
    """What was said to a note, and when."""

    at: datetime
    text: str | None = Field(description="null: erased, or of what was withdrawn")


class PublicNote(Answer):
    """An objection to an entry, a note of administrators, or an erratum of a snapshot."""

    id: UUID
    kind: Open[NoteKind]
    state: Open[NoteState] = Field(
        description="published; resolved; withdrawn: then without its texts. What is 'open' or "
        "'refused' is shown to its author and administrators alone"
    )
    by: Open[Literal["participant", "administrator"]]
    name: str | None = Field(description="of who objects; null: not to be shown")
    text: str | None = Field(description="plain text; null: withdrawn or erased")
    published_at: datetime | None
    changed_at: datetime
    answer: NoteReply | None = Field(None, description="of the entry's owner; null: none")
    resolution: NoteReply | None = Field(None, description="of an administrator; null: none")
    withdrawn_at: datetime | None = Field(None, description="null: it was not")
    board: Open[Board] | None = Field(None, description="that it is about; null: an entry")
    corrects: NamedSnapshot | None = Field(None, description="of an erratum: the faulty snapshot")
    corrected_by: NamedSnapshot | None = Field(
        None, description="of an erratum: the snapshot to use instead"
    )
    causes: list[BoardChange] = Field(
        default_factory=list,
        description="of an erratum: what changed between its snapshots, newest first",
    )


class Objection(PublicNote):
    """An objection as its author, the entry's owner and administrators see it."""

    entry_id: UUID | None = Field(description="null: of a board")
    model_name: str | None = Field(description="null: erased, or of a board")
    entry: str | None = Field(description="where the entry is")
    page: str | None = Field(description="the same for people")
    created_at: datetime


class Objections(Answer):
    """The objections that were filed with a key, newest first."""

    objections: list[Objection]


class ManagedNote(Objection):
    """A note as administrators see it."""

    account: str | None = Field(description="whose objection it is; null: of administrators")


class NotesPage(Page):
    """Notes, newest first; `next_cursor` is null on the last page."""

    notes: list[ManagedNote]
    next_cursor: str | None


class NoteAction(Answer):
    """A note after an action."""

    note: ManagedNote
    changed: bool = Field(description="false: it was so before")


class ChangesAnswer(Answer):
    """What changed on boards apart from their entries, the newest first."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    changes: list[BoardChange] = Field(description="the newest 500 changes of what numbers rest on")
    notes: list[PublicNote] = Field(
        description="the newest 500 errata and notes on boards, withdrawn ones without their text"
    )
