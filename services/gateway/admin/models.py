"""Models of administration: entries, boards as files, the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, BaseModel, Field, model_validator

from medvid.benchmark.names import FIELD_LIMITS, check_text
from medvid.benchmark.series import Treatment
from medvid.benchmark.tasks import Board, Ranking
from medvid.models.administration import (
    AuditLineView,
    EntryAction,
    FieldChange,
    ImportAnswer,
    Kind,
    ManagedEntryView,
    RowChangeView,
)
from medvid.models.base import JsonBody
from medvid.models.facts import FactName, FactsChange, facts_of
from services.gateway.accounts.admin_actions import REASON_LIMIT
from services.gateway.admin.board_import import Existing, RowChange
from services.gateway.admin.board_series import WantedSeries
from services.gateway.admin.entries import Changed
from services.gateway.admin.rules import EDITABLE, ManagedEntry
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

    model_name: Name = Field(description="the new one, free on its board")


class EditBody(Reason):
    """Change metadata; a field that is left out stays, null empties it."""

    organization: str | None = Field(None, description="who submits")
    team: str | None = Field(None, description="the team's name")
    authors: str | None = Field(None, description="the authors' names")
    model_url: str | None = Field(None, description="an http or https address")
    track: str | None = Field(None, description="the track that it competes in")
    contact: str | None = Field(None, description="never shown in public")

    def fields(self) -> dict[str, str | None]:
        """Return what was given."""
        return {name: getattr(self, name) for name in EDITABLE if name in self.model_fields_set}


class FactsBody(Reason):
    """State facts of an entry's model."""

    facts: FactsChange = Field(description="those that change; null makes one unknown")
    release: list[FactName] = Field(
        default_factory=list, description="those that the model's owner may change again"
    )


class RankingBody(Reason):
    """Rank a board by another rule."""

    ranking: Ranking = Field(
        description="what follows ties: 1, 2, 2, 4 (competition) or 1, 2, 2, 3 (dense)"
    )


JudgeHash = Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")]


class SeriesQuery(Parameters):
    """Another series of a board; what is left out stays as it is."""

    current: JudgeHash | None = Field(None, description="the judge version whose values it ranks")
    other_judges: Treatment | None = Field(None, description="values of other judge versions")
    published: Treatment | None = Field(None, description="values without a recorded judge")

    def wanted(self) -> WantedSeries:
        """Return what is asked for."""
        return WantedSeries(self.current, self.other_judges, self.published)


class SeriesBody(Reason):
    """Have a board rank by another series; what is left out stays as it is."""

    revision: int = Field(ge=0, description="that of the difference that was looked at")
    current: JudgeHash | None = Field(None, description="the judge version whose values it ranks")
    other_judges: Treatment | None = Field(None, description="values of other judge versions")
    published: Treatment | None = Field(None, description="values without a recorded judge")

    def wanted(self) -> WantedSeries:
        """Return what is asked for."""
        return WantedSeries(self.current, self.other_judges, self.published)


class AddBody(Reason):
    """Add an entry with scores from elsewhere; a row as in an export."""

    board: Board = Field(description="the board that it is added to")
    entry: dict[str, Any] = Field(
        description="model_name, organization, date and the metric keys (null: no value); "
        "strict values under 'strict', facts of the model under 'facts'",
        examples=[{"model_name": "MedVLM 2", "organization": "A lab", "date": "2026-04-15"}],
    )


class ImportBody(Reason):
    """Import boards from an export, JSON or CSV."""

    boards: dict[str, Any] | None = Field(None, description="rows by board, as in an export")
    csv: str | None = Field(None, description="the same as CSV text, instead of 'boards'")
    existing: Existing = Field(
        "keep", description="what becomes of names that a board has: left, or made what is sent"
    )
    dry_run: bool = Field(False, description="only report what would become of each row")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.boards is None) == (self.csv is None):
            raise ValueError("either 'boards' or 'csv'")
        return self


def managed_entry(entry: ManagedEntry) -> ManagedEntryView:
    """Build the response from an entry."""
    values = asdict(entry) | {"facts": facts_of(entry.facts)}
    return ManagedEntryView.model_validate(values)


def entry_action(done: Changed) -> EntryAction:
    """Build the response to an action."""
    return EntryAction(entry=managed_entry(done.entry), changed=done.changed)


class EntriesQuery(Parameters):
    """Which entries are asked for."""

    board: Board | None = Field(None, description="of this board; left out, of both")
    model_name: Sought | None = Field(
        None, description="the same name but for case, kinds of dashes and runs of spaces"
    )
    removed: bool = Field(False, description="removed ones too")
    cursor: Annotated[str, Field(json_schema_extra={"format": "entry-cursor"})] | None = Field(
        None, description="'next_cursor' of the page before"
    )
    limit: Number = Field(100, ge=1, le=500, description="entries a page")


def row_change(change: RowChange) -> RowChangeView:
    """Build the response from a row's change."""
    fields = {
        name: FieldChange(before=before, after=after)
        for name, (before, after) in change.fields.items()
    }
    return RowChangeView(
        board=change.board,
        kind=change.kind,
        model_name=change.row.model_name,
        entry_id=change.entry_id,
        fields=fields,
    )


def import_answer(changes: list[RowChange], *, dry_run: bool) -> ImportAnswer:
    """Build the response to an import."""
    kinds: tuple[Kind, ...] = ("added", "changed", "unchanged", "kept")
    counts = {kind: sum(change.kind == kind for change in changes) for kind in kinds}
    return ImportAnswer(
        dry_run=dry_run, counts=counts, rows=[row_change(change) for change in changes]
    )


class ExportQuery(Parameters):
    """Which boards are exported, and how."""

    board: Board | None = Field(None, description="null: both")
    format: Literal["json", "csv"] = Field("json", description="the form of the answer")


class ExportedBoards(BaseModel):
    """Rows by board, by name; importing them again changes nothing."""

    official: list[dict[str, Any]] | None = None
    community: list[dict[str, Any]] | None = None


class AuditQuery(Parameters):
    """Which lines of the audit log are asked for."""

    who: Sought | None = Field(None, description="'administrator', 'key:ID', or 'operator'")
    action: Sought | None = Field(None, description="what was done, such as 'promote'")
    subject_kind: Sought | None = Field(
        None, description="what it was done to: a kind, such as 'entry' or 'board'"
    )
    subject: Sought | None = Field(None, description="what it was done to: its id or name")
    since: Moment | None = Field(None, description="from this moment on")
    until: Moment | None = Field(None, description="before this moment")
    cursor: Position | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=500, description="lines a page")


def audit_line(row: Mapping[str, Any]) -> AuditLineView:
    """Build the response from a row of `audit_page`."""
    parsed = {key: orjson.loads(row[key] or "null") for key in ("before", "after")}
    return AuditLineView(**(dict(row) | parsed))
