"""What an administrator may do to one entry, as steps from its state to the next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from medvid.benchmark.names import ERASED, check_entry_fields, clean_name
from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import Board
from medvid.judging.badges import UNCONFIRMED_JUDGE
from medvid.models.facts import differing
from services.gateway.accounts.marks import VERIFIED, is_mark
from shared.runtime.errors import Conflict

EDITABLE: Final = ("organization", "team", "authors", "model_url", "track", "contact")
"""The fields of `edited`; an entry without a submission has no contact."""
_GONE: Final = frozenset({"withdrawn", "replaced", "failed"})
_AUDITED: Final = (
    "board", "model_name", "organization", "team", "authors", "model_url", "track", "badges",
    "submitted_on", "verified_on", "verification_note", "removed_at", "facts_held")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ManagedEntry:
    """An entry with all that an administrator sees of it.

    `stub_judged` says that some of its scores come from the stand-in judge. `name_key` is the one
    that is stored: an entry may have kept a key of an older rule, or have none of its own yet.
    """

    id: UUID
    board: Board
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: tuple[str, ...]
    submission_id: UUID | None
    submission_state: str | None
    submitted_on: date
    verified_on: date | None
    verification_note: str | None
    listed: bool
    removed_at: datetime | None
    contact: str | None
    stub_judged: bool
    name_key: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    facts_held: tuple[str, ...] = ()


def promoted(entry: ManagedEntry, verified_on: date, note: str | None) -> ManagedEntry:
    """Return the entry on the official board; raises Conflict where it may not be there."""
    _require_present(entry)
    if not entry.listed:
        raise Conflict(
            "the entry has no scores yet.", fix="Wait for its scores.", code="not_scored_yet"
        )
    if entry.stub_judged:
        raise Conflict(
            "the entry's judged scores come from the stand-in judge.",
            fix="Have it judged by a real judge first.",
            code="stub_not_official",
        )
    if UNCONFIRMED_JUDGE in entry.badges:
        raise Conflict(
            "a gateway names another model than the judge's for some of the entry's verdicts.",
            fix="Have it judged by an endpoint that names the judge's own model.",
            code="unconfirmed_not_official",
        )
    return replace(entry, board="official", verified_on=verified_on, verification_note=note)


def demoted(entry: ManagedEntry) -> ManagedEntry:
    """Return the entry on the community board, not verified any more; raises Conflict."""
    _require_present(entry)
    return replace(entry, board="community", verified_on=None, verification_note=None)


def renamed(entry: ManagedEntry, model_name: str) -> ManagedEntry:
    """Return the entry under another name; raises Conflict."""
    _require_present(entry)
    return replace(entry, model_name=model_name)


def edited(entry: ManagedEntry, fields: Mapping[str, str | None]) -> ManagedEntry:
    """Return the entry with other metadata (of `EDITABLE`); raises Conflict."""
    _require_present(entry)
    if entry.submission_id is None and fields.get("contact") is not None:
        raise Conflict(
            "the entry has no submission, and so nobody to contact.",
            fix="Leave the contact out.",
            code="no_submission",
        )
    # `replace` knows its fields; that these are of them is checked where they come in.
    return replace(entry, **{name: fields[name] for name in EDITABLE if name in fields})  # type: ignore[arg-type]


def with_facts(
    entry: ManagedEntry, facts: Mapping[str, object], release: Collection[str] = ()
) -> ManagedEntry:
    """Return the entry with these facts of its model; raises Conflict.

    Those that change are held, unless they are among those that are released.
    """
    _require_present(entry)
    held = {*entry.facts_held, *differing(entry.facts, facts)[0]}.difference(release)
    return replace(entry, facts=facts, facts_held=tuple(sorted(held)))


def removed(entry: ManagedEntry, at: datetime) -> ManagedEntry:
    """Return the entry off every board; one that is off already stays as it is."""
    return entry if entry.removed_at is not None else replace(entry, removed_at=at)


def erased(entry: ManagedEntry) -> ManagedEntry:
    """Return a removed entry without what names anybody; raises Conflict while it is on a board."""
    if entry.removed_at is None:
        raise Conflict(
            "the entry is on its board.",
            fix="Withdraw or remove it first.",
            code="entry_present",
        )
    return replace(
        entry,
        model_name=ERASED,
        organization=ERASED,
        badges=tuple(VERIFIED if is_mark(badge) else badge for badge in entry.badges),
        team=None,
        authors=None,
        model_url=None,
        track=None,
        verification_note=None,
        contact=None,
        facts={},
        facts_held=(),
    )


def restored(entry: ManagedEntry) -> ManagedEntry:
    """Return a removed entry back on its board; raises Conflict where it left for good."""
    if entry.removed_at is not None and entry.submission_state in _GONE:
        raise Conflict(
            f"its submission was {entry.submission_state}.",
            fix="It can be submitted anew.",
            code="not_restorable",
        )
    return replace(entry, removed_at=None)


def changes(
    before: ManagedEntry, after: ManagedEntry
) -> tuple[dict[str, object], dict[str, object]]:
    """Return what differs, as it was and as it is; a contact is named, not written down."""
    names = [name for name in _AUDITED if getattr(before, name) != getattr(after, name)]
    was = {name: getattr(before, name) for name in names}
    now = {name: getattr(after, name) for name in names}
    facts_were, facts_are = differing(before.facts, after.facts)
    was, now = was | facts_were, now | facts_are
    if before.contact != after.contact:
        was["contact"], now["contact"] = _presence(before.contact), "changed"
    return was, now


def _presence(contact: str | None) -> str:
    return "none" if contact is None else "given"


def _require_present(entry: ManagedEntry) -> None:
    if entry.removed_at is not None:
        raise Conflict(
            "the entry was removed.", fix="Add it anew, or restore it.", code="entry_removed"
        )


def check_fields(
    fields: Mapping[str, str | None],
) -> tuple[dict[str, str | None], list[Problem]]:
    """Return text fields as they are stored, blank ones as None, and what is wrong with them."""
    required = {"model_name": "x", "organization": "x"}
    clean = {name: clean_name(text or "") or None for name, text in fields.items()}
    return clean, check_entry_fields({**required, **fields})
