"""What importing rows would do to boards: computed before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from medvid.benchmark.names import name_key
from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import METRIC_KEYS, Board
from medvid.models.administration import Kind
from medvid.models.facts import differing
from services.gateway.admin.board_rows import BoardRow

Existing = Literal["keep", "update"]
"""What becomes of a name that the board has: left as it is, or made what the file says."""


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """An entry that is on a board; `scored` says that its values come from a submission."""

    id: UUID
    row: BoardRow
    scored: bool


@dataclass(frozen=True, slots=True)
class RowChange:
    """What becomes of one row. `fields` are those that differ: as they are, as the file has them.

    A row is `kept` where the board has its name with other fields, and these are not to change.
    """

    board: Board
    kind: Kind
    row: BoardRow
    entry_id: UUID | None
    fields: Mapping[str, tuple[object, object]]
    facts_before: Mapping[str, object] = field(default_factory=dict)


def plan_import(
    boards: Mapping[Board, Sequence[BoardRow]],
    present: Mapping[Board, Sequence[BoardEntry]],
    existing: Existing,
) -> tuple[list[RowChange], list[Problem]]:
    """Return what becomes of each row, and what forbids it."""
    changes, problems = [], []
    for board, rows in boards.items():
        named = {entry.row.model_name: entry for entry in present.get(board, ())}
        known = {name_key(name): entry for name, entry in named.items()}
        for index, row in enumerate(rows):
            # Two entries may share a key, of which one is older than the rule: then the exact name.
            entry = named.get(row.model_name) or known.get(name_key(row.model_name))
            change = _change(board, row, entry, existing)
            changes.append(change)
            if change.kind == "changed" and entry is not None and entry.scored:
                problems += _value_problems(f"$.{board}[{index}]", change)
    return changes, problems


def _change(board: Board, row: BoardRow, entry: BoardEntry | None, existing: Existing) -> RowChange:
    if entry is None:
        return RowChange(board, "added", row, None, {})
    fields = differences(entry.row, row)
    if not fields:
        return RowChange(board, "unchanged", row, entry.id, {})
    kind: Kind = "changed" if existing == "update" else "kept"
    return RowChange(board, kind, row, entry.id, fields, entry.row.facts or {})


def differences(before: BoardRow, after: BoardRow) -> dict[str, tuple[object, object]]:
    """Return the fields that differ, strict values as `strict.METRIC`, facts as `facts.NAME`.

    Facts of which the file says nothing stay as they are.
    """
    was, now = _flat(before), _flat(after)
    fields = {name: (was[name], now[name]) for name in was if was[name] != now[name]}
    if after.facts is not None:
        facts_were, facts_are = differing(before.facts or {}, after.facts)
        fields |= {f"facts.{name}": (facts_were[name], facts_are[name]) for name in facts_are}
    return fields


def _flat(row: BoardRow) -> dict[str, object]:
    fields = row.to_json()
    del fields["strict"]
    fields.pop("facts", None)
    return fields | {f"strict.{key}": row.strict[key] for key in METRIC_KEYS}


def _value_problems(path: str, change: RowChange) -> list[Problem]:
    return [
        Problem(
            "scored_by_submission",
            f"{path}.{name}",
            f"{after}",
            f"{before}, as its submission was scored",
            "Leave the value as it is; scores of submissions change by re-scoring only.",
        )
        for name, (before, after) in change.fields.items()
        if name.removeprefix("strict.") in METRIC_KEYS
    ]
