"""A board's entries as a file: rows read from what people and programs send, with every problem.

The form is that of the published leaderboards (metric keys beside the names), with more fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, cast

from medvid.benchmark.names import SAME_NAMES, check_entry_fields, clean_name, name_key
from medvid.benchmark.report import Problem, shown
from medvid.benchmark.tasks import BOARDS, METRIC_KEYS, METRICS, Board
from medvid.judging.badges import STUB_JUDGE, UNCONFIRMED_JUDGE
from medvid.models.facts import check_facts
from services.gateway.accounts.admin_actions import hidden_character
from services.gateway.accounts.marks import LONGEST_MARK

TEXT_FIELDS: Final = ("model_name", "organization", "team", "authors", "model_url", "track")
_NOTE_LIMIT: Final = 1_000
_BADGE_LIMITS: Final = (10, LONGEST_MARK)
"""How many badges, and of how many characters each."""
_KNOWN: Final = frozenset(
    (
        *TEXT_FIELDS,
        "badges",
        "date",
        "verified_on",
        "verification_note",
        "strict",
        "facts",
        *METRIC_KEYS,
    )
)
_IGNORED: Final = frozenset({"rank"})
"""Of the published leaderboards; ranks are computed here."""

Values = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One entry as a file has it. `compat` and `strict` have every metric's value or None."""

    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: tuple[str, ...]
    submitted_on: date
    verified_on: date | None
    verification_note: str | None
    compat: Values
    strict: Values
    facts: Mapping[str, object] | None = None
    """Those of its model, all that are known; None: the file does not say."""

    def to_json(self) -> dict[str, object]:
        """Return the row as files have it; reading it again gives the same row."""
        return {
            **{field: getattr(self, field) for field in TEXT_FIELDS},
            "badges": list(self.badges),
            "date": self.submitted_on.isoformat(),
            "verified_on": self.verified_on.isoformat() if self.verified_on else None,
            "verification_note": self.verification_note,
            **{key: self.compat[key] for key in METRIC_KEYS},
            "strict": {key: self.strict[key] for key in METRIC_KEYS},
            **({} if self.facts is None else {"facts": dict(self.facts)}),
        }


def read_boards(content: object) -> tuple[dict[Board, list[BoardRow]], list[Problem]]:
    """Return the rows of `{board: [row, ...]}` and every problem; rows with a problem are left out.

    A name twice on one board is a problem too.
    """
    if not isinstance(content, Mapping) or not content or not set(content) <= set(BOARDS):
        expected = f"an object with the keys {' and '.join(BOARDS)}"
        return {}, [_problem("$", content, expected, "Put the rows under their board's name.")]
    boards: dict[Board, list[BoardRow]] = {}
    problems: list[Problem] = []
    for board, rows in content.items():
        path = f"$.{board}"
        if not isinstance(rows, list):
            problems.append(_problem(path, rows, "a list of rows", "Put them in a list."))
            continue
        read = [read_row(f"{path}[{index}]", board, row) for index, row in enumerate(rows)]
        boards[board] = [row for row, _ in read if row is not None]
        problems += [problem for _, found in read for problem in found]
        problems += _doubles(path, boards[board])
    return boards, problems


def read_row(path: str, board: str, row: object) -> tuple[BoardRow | None, list[Problem]]:
    """Return one row, or None and its problems; `path` is where it is in the file."""
    if not isinstance(row, Mapping):
        return None, [_problem(path, row, "an object", "See GET …/export for the form.")]
    problems = [
        _problem(f"{path}.{key}" if isinstance(key, str) else path, key, "a known field",
                 f"There is {', '.join(sorted(_KNOWN))}.")
        for key in row if key not in _KNOWN and key not in _IGNORED
    ]  # fmt: skip
    texts = {field: row.get(field) for field in TEXT_FIELDS}
    problems += [
        Problem(found.code, path + found.path[1:], found.found, found.expected, found.fix)
        for found in check_entry_fields(texts)
    ]
    problems += _badge_problems(f"{path}.badges", board, row.get("badges"))
    problems += _date_problems(f"{path}.date", row.get("date"), required=True)
    problems += _date_problems(f"{path}.verified_on", row.get("verified_on"), required=False)
    problems += _note_problems(f"{path}.verification_note", row.get("verification_note"))
    strict = row.get("strict")
    if strict is not None and not isinstance(strict, Mapping):
        problems.append(_problem(f"{path}.strict", strict, "an object of metrics", "Fix it."))
        strict = None
    problems += _value_problems(path, row) + _value_problems(f"{path}.strict", strict or {})
    facts, wrong = _facts(f"{path}.facts", row.get("facts"))
    problems += wrong
    return (None, problems) if problems else (_row(board, row, strict or {}, facts), [])


def _facts(path: str, stated: object) -> tuple[dict[str, object] | None, list[Problem]]:
    """Return the facts of a row as they are stored, and what is wrong with them."""
    if stated is None:
        return None, []
    if not isinstance(stated, Mapping):
        return None, [_problem(path, stated, "an object of facts", "Fix it.")]
    facts, problems = check_facts(stated, path)
    return None if facts is None else facts.known_after({}), problems


def _row(
    board: str,
    row: Mapping[str, object],
    strict: Mapping[str, object],
    facts: Mapping[str, object] | None,
) -> BoardRow:
    """Build a row that has no problem."""
    texts = {field: clean_name(str(row.get(field) or "")) or None for field in TEXT_FIELDS}
    submitted_on = date.fromisoformat(str(row["date"]))
    verified = row.get("verified_on")
    verified_on = date.fromisoformat(str(verified)) if verified else None
    if board == "official" and verified_on is None:
        verified_on = submitted_on  # what is official was verified, on that day at the latest
    return BoardRow(
        model_name=texts["model_name"] or "",
        organization=texts["organization"] or "",
        team=texts["team"],
        authors=texts["authors"],
        model_url=texts["model_url"],
        track=texts["track"],
        badges=tuple(cast(Sequence[str], row.get("badges") or ())),
        submitted_on=submitted_on,
        verified_on=verified_on if board == "official" else None,
        verification_note=(clean_name(str(row.get("verification_note") or "")) or None)
        if board == "official"
        else None,
        compat=_values(row),
        strict=_values(strict),
        facts=facts,
    )


def _values(row: Mapping[str, object]) -> dict[str, float | None]:
    values = {key: row.get(key) for key in METRIC_KEYS}
    return {
        # Plus zero, as minus zero would be written with a sign.
        key: float(value) + 0.0 if isinstance(value, int | float) else None
        for key, value in values.items()
    }


def _value_problems(path: str, row: Mapping[str, object]) -> list[Problem]:
    problems = []
    for metric in METRICS:
        value = row.get(metric.key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not (
            math.isfinite(value) and 0 <= value <= metric.maximum
        ):  # fmt: skip
            expected = f"a number from 0 to {metric.maximum:g}, or null"
            problems.append(_problem(f"{path}.{metric.key}", value, expected, "Fix it."))
    return problems


def _date_problems(path: str, value: object, *, required: bool) -> list[Problem]:
    if value is None and not required:
        return []
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return []
    except ValueError:
        pass
    return [_problem(path, value, "a date as in 2026-04-15", "Write it so.")]


def _note_problems(path: str, value: object) -> list[Problem]:
    if value is None or (
        isinstance(value, str) and len(value) <= _NOTE_LIMIT and hidden_character(value) is None
    ):
        return []
    expected = f"at most {_NOTE_LIMIT:,} visible characters"
    return [_problem(path, value, expected, "Shorten it, or type it again.")]


def _badge_problems(path: str, board: str, badges: object) -> list[Problem]:
    if badges is None:
        return []
    most, longest = _BADGE_LIMITS
    if not isinstance(badges, list) or len(badges) > most or not all(map(_is_badge, badges)):
        expected = f"a list of at most {most} words of at most {longest} characters, without ';'"
        return [_problem(path, badges, expected, "Fix it.")]
    if board == "official" and STUB_JUDGE in badges:
        expected = "no entry that the stand-in judge scored"
        return [_problem(path, badges, expected, "Leave the row out: it is not official.")]
    if board == "official" and UNCONFIRMED_JUDGE in badges:
        expected = "no entry whose judge's model is not confirmed"
        return [_problem(path, badges, expected, "Leave the row out: it is not official.")]
    return []


def _is_badge(badge: object) -> bool:
    if not isinstance(badge, str) or badge != clean_name(badge) or ";" in badge:
        return False
    return 0 < len(badge) <= _BADGE_LIMITS[1] and hidden_character(badge) is None


def _doubles(path: str, rows: Sequence[BoardRow]) -> list[Problem]:
    names = [name_key(row.model_name) for row in rows]
    return [
        _problem(path, row.model_name, f"each name once ({SAME_NAMES})",
                 "Rename one of the two.")
        for index, row in enumerate(rows) if names[index] in names[:index]
    ]  # fmt: skip


def _problem(path: str, found: object, expected: str, fix: str) -> Problem:
    return Problem("invalid_value", path, shown(found), expected, fix)
