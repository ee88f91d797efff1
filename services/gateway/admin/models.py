"""Models of administration: entries, boards as files, the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, Field, model_validator

from medvid.benchmark.names import FIELD_LIMITS, check_text
from medvid.benchmark.tasks import Board, Ranking
from services.gateway.accounts.admin_actions import REASON_LIMIT
from services.gateway.admin.board_import import Existing, Kind, RowChange
from services.gateway.admin.entries import Changed
from services.gateway.admin.rules import EDITABLE, ManagedEntry
from services.gateway.web.bodies import JsonBody
from services.gateway.web.models import Answer
from services.gateway.web.parameters import Moment, Number, Parameters, Position, Sought

LARGEST_IMPORT = 8 << 20
Line = Annotated[str, AfterValidator(check_text)]
Name = Annotated[str, Field(max_length=FIELD_LIMITS["model_name"])]


class Reason(JsonBody):
    """What every action needs: a reason, which goes into the audit log."""

    why: str = Field(
        description=f"a reason of 1 to {REASON_LIMIT:,} characters",
        examples=["asked for by its owner"],
    )


class PromoteBody(Reason):
    """Verify an entry and bring it to the official board."""

    verified_on: date | None = Field(None, description="null: today (UTC)")
    note: Annotated[Line, Field(max_length=1_000)] | None = Field(
        None, description="how it was verified"
    )


class RenameBody(Reason):
    """Give an entry another name."""

    model_name: Name


class EditBody(Reason):
    """Change metadata; a field that is left out stays, null empties it."""

    organization: str | None = None
    team: str | None = None
    authors: str | None = None
    model_url: str | None = None
    track: str | None = None
    contact: str | None = Field(None, description="never shown in public")

    def fields(self) -> dict[str, str | None]:
        """Return what was given."""
        return {name: getattr(self, name) for name in EDITABLE if name in self.model_fields_set}


class RankingBody(Reason):
    """Rank a board by another rule."""

    ranking: Ranking = Field(
        description="what follows ties: 1, 2, 2, 4 (competition) or 1, 2, 2, 3 (dense)"
    )


class AddBody(Reason):
    """Add an entry with scores from elsewhere; a row as in an export."""

    board: Board
    entry: dict[str, Any] = Field(
        description="model_name, organization, date and the metric keys (null: no value); "
        "strict values under 'strict'",
        examples=[{"model_name": "A model", "organization": "A lab", "date": "2026-04-15"}],
    )


class ImportBody(Reason):
    """Import boards from an export, JSON or CSV."""

    boards: dict[str, Any] | None = Field(None, description="rows by board, as in an export")
    csv: str | None = Field(None, description="the same as CSV text, instead of 'boards'")
    existing: Existing = Field(
        "keep", description="what becomes of names that a board has: left, or made what is sent"
    )
    dry_run: bool = Field(False, description="only tell what would become of each row")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.boards is None) == (self.csv is None):
            raise ValueError("either 'boards' or 'csv'")
        return self


class ChangeAnswer(Answer):
    """Whether an action changed anything."""

    changed: bool


class ManagedEntryView(Answer):
    """An entry as administrators see it."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: list[str]
    submission_id: UUID | None
    submitted_on: date
    verified_on: date | None
    verification_note: str | None
    listed: bool = Field(description="false until it has scores")
    removed_at: datetime | None
    contact: str | None
    stub_judged: bool = Field(description="some scores come from the stand-in judge")

    @classmethod
    def of(cls, entry: ManagedEntry) -> Self:
        """Build the response from an entry."""
        facts = {name: getattr(entry, name) for name in cls.model_fields}
        return cls(**(facts | {"badges": list(entry.badges)}))


class EntryAction(Answer):
    """An entry after an action; `changed` is false where it was so before."""

    entry: ManagedEntryView
    changed: bool

    @classmethod
    def of(cls, done: Changed) -> Self:
        """Build the response to an action."""
        return cls(entry=ManagedEntryView.of(done.entry), changed=done.changed)


class EntriesQuery(Parameters):
    """Which entries are asked for."""

    board: Board | None = None
    model_name: Sought | None = Field(
        None, description="but for case, kinds of dashes and runs of spaces"
    )
    removed: bool = Field(False, description="removed ones too")
    cursor: Annotated[str, Field(json_schema_extra={"format": "entry-cursor"})] | None = Field(
        None, description="'next_cursor' of the page before"
    )
    limit: Number = Field(100, ge=1, le=500)


class EntriesPage(Answer):
    """Entries by name; `next_cursor` is null on the last page."""

    entries: list[ManagedEntryView]
    next_cursor: str | None


class FieldChange(Answer):
    """A field that differs: as it is on the board, and as the file has it."""

    before: Any
    after: Any


class RowChangeView(Answer):
    """What becomes of one row; 'kept': the board has the name with other fields, which stay."""

    board: Board
    kind: Kind
    model_name: str
    entry_id: UUID | None = Field(description="null: not there before")
    fields: dict[str, FieldChange]

    @classmethod
    def of(cls, change: RowChange) -> Self:
        """Build the response from a row's change."""
        fields = {
            name: FieldChange(before=before, after=after)
            for name, (before, after) in change.fields.items()
        }
        return cls(
            board=change.board,
            kind=change.kind,
            model_name=change.row.model_name,
            entry_id=change.entry_id,
            fields=fields,
        )


class ImportAnswer(Answer):
    """What became of each row, or would in a dry run."""

    dry_run: bool
    counts: dict[Kind, int]
    rows: list[RowChangeView]

    @classmethod
    def of(cls, changes: list[RowChange], *, dry_run: bool) -> Self:
        """Build the response to an import."""
        kinds: tuple[Kind, ...] = ("added", "changed", "unchanged", "kept")
        counts = {kind: sum(change.kind == kind for change in changes) for kind in kinds}
        return cls(
            dry_run=dry_run, counts=counts, rows=[RowChangeView.of(change) for change in changes]
        )


class ExportQuery(Parameters):
    """Which boards are exported, and how."""

    board: Board | None = Field(None, description="null: both")
    format: Literal["json", "csv"] = "json"


class ExportedBoards(BaseModel):
    """Rows by board, by name; importing them again changes nothing."""

    official: list[dict[str, Any]] | None = None
    community: list[dict[str, Any]] | None = None


class AuditQuery(Parameters):
    """Which lines of the audit log are asked for."""

    who: Sought | None = None
    action: Sought | None = None
    subject_kind: Sought | None = None
    subject: Sought | None = None
    since: Moment | None = None
    until: Moment | None = Field(None, description="not included")
    cursor: Position | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=500)


class AuditLineView(Answer):
    """One admin action: who did what to which subject, what changed, and why."""

    id: int
    at: datetime
    who: str = Field(description="'administrator', 'key:ID', or 'operator' (on the server)")
    action: str
    subject_kind: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str
    request_id: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Build the response from a row of `audit_page`."""
        parsed = {key: orjson.loads(row[key] or "null") for key in ("before", "after")}
        return cls(**(dict(row) | parsed))


class AuditPage(Answer):
    """Lines, newest first; `next_cursor` is null on the last page."""

    lines: list[AuditLineView]
    next_cursor: str | None
