"""The text fields of a submission: from raw form parts to clean values, all problems at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from medvid.benchmark.disclosure import answers_of
from medvid.benchmark.names import (
    FIELD_LIMITS,
    REQUIRED_FIELDS,
    SAME_NAMES,
    check_entry_fields,
    clean_name,
)
from medvid.benchmark.report import Problem, shown
from medvid.models.fact_texts import fact_values
from medvid.models.facts import FACTS, LONGEST_PROMPT, check_facts
from services.gateway.submissions.options import OPTION_FIELDS

FILE_FIELD: Final = "file"
_TEXTS: Final = (*FIELD_LIMITS, *FACTS, *OPTION_FIELDS)
FORM_FIELDS: Final = frozenset({FILE_FIELD, *_TEXTS})
"""What a submission form may hold."""
COVERAGE_TOO_LOW: Final = "coverage_too_low"
_LIMITS: Final = {**FIELD_LIMITS, "prompt": LONGEST_PROMPT}
MAX_FIELD_BYTES: Final = 16_384
"""Bounds memory while reading; the limits in characters are the entry fields' own."""


@dataclass(frozen=True, slots=True)
class SubmittedFields:
    """What a submission says about itself; optional fields are None when absent or blank."""

    model_name: str
    organization: str
    team: str | None
    authors: str | None
    contact: str | None
    model_url: str | None
    track: str | None
    facts: Mapping[str, object] = field(default_factory=dict)


def location_in_form(problem: Problem) -> Literal["form", "file"]:
    """Return whether a problem of an upload is in its form or in its file."""
    name = problem.path.removeprefix("$.").partition("[")[0]  # of a list's value that of the list
    in_form = name in FORM_FIELDS or problem.code in ("unknown_field", "model_name_taken")
    return "form" if in_form else "file"


def decode_fields(parts: Mapping[str, bytes]) -> tuple[dict[str, str], list[Problem]]:
    """Return the known fields as text, and a problem for each that is unknown or no UTF-8."""
    texts: dict[str, str] = {}
    problems = []
    for name, data in parts.items():
        if name not in FORM_FIELDS:
            problems.append(_unknown(name))
            continue
        try:
            texts[name] = data.decode()
        except UnicodeDecodeError as error:
            problems.append(
                Problem("invalid_utf8", f"$.{name}", f"bad bytes at position {error.start}",
                        "text in UTF-8", "Send the field as UTF-8.")
            )  # fmt: skip
    return texts, problems


def check_fields(texts: Mapping[str, str], known_bad: list[Problem]) -> list[Problem]:
    """Return every problem of the fields, each field named once."""
    seen = {problem.path for problem in known_bad}
    _, wrong = check_facts(fact_values(texts))
    return known_bad + [p for p in (*check_entry_fields(texts), *wrong) if p.path not in seen]


def check_given_fields(texts: Mapping[str, str], known_bad: list[Problem]) -> list[Problem]:
    """Return the problems of the fields that are there; a dry run may leave any out."""
    given = {f"$.{name}" for name in texts} | {problem.path for problem in known_bad}
    # The path of a list's value begins with that of the list.
    return [
        problem
        for problem in check_fields(texts, known_bad)
        if given & {problem.path, problem.path.partition("[")[0]}
    ]


def name_taken(name: str) -> Problem:
    """Return the problem of a name that the board has."""
    return Problem("model_name_taken", "$.model_name", shown(name), "a name of its own",
                   f"Choose another, such as one with a version; {SAME_NAMES}.")  # fmt: skip


def entry_fields(texts: Mapping[str, str]) -> SubmittedFields:
    """Return the values as they are stored; call it with fields that have no problem."""
    clean = {name: clean_name(texts.get(name, "")) for name in FIELD_LIMITS}
    optional = {name: clean[name] or None for name in FIELD_LIMITS if name not in REQUIRED_FIELDS}
    facts, _ = check_facts(fact_values(texts))
    return SubmittedFields(
        model_name=clean["model_name"],
        organization=clean["organization"],
        facts=facts.known_after({}) if facts else {},
        **optional,
    )


def repeated(name: str) -> Problem:
    """Return the problem of a field sent twice."""
    return Problem("duplicate_field", _path(name), "the field more than once",
                   "each field once", "Send it once.")  # fmt: skip


def missing_file() -> Problem:
    """Return the problem of a form without its file."""
    return Problem("missing_field", "$.file", "no part of this name", "the predictions file",
                   "Send the JSON file (gzip or plain) as the form field 'file'.")  # fmt: skip


def check_coverage(report: Mapping[str, Any], minimum: float) -> list[Problem]:
    """Return the problem of a file that answers too little for a place on a board."""
    answered, samples = answers_of(report), report.get("samples") or 0
    if answered >= minimum * samples:
        return []
    return [
        Problem(COVERAGE_TOO_LOW, f"$.{FILE_FIELD}",
                f"{answered:,} of {samples:,} samples answered",
                f"at least {minimum:.0%} of them, for a place on a board",
                "Answer more samples; or have it evaluated for yourself alone, on no board: "
                "evaluate_only=true, 'medvid submit --evaluate-only'.")
    ]  # fmt: skip


def too_long(name: str) -> Problem:
    """Return the problem of a text field with too many bytes to look at."""
    return Problem("field_too_long", _path(name), f"more than {MAX_FIELD_BYTES:,} bytes",
                   f"at most {_LIMITS.get(name, 2_000):,} characters",
                   "Shorten it.")  # fmt: skip


def _unknown(name: str) -> Problem:
    return Problem("unknown_field", _path(name), f"a field named {shown(name)}",
                   f"one of {', '.join((FILE_FIELD, *_TEXTS))}",
                   "Check its spelling or leave it out.")  # fmt: skip


def _path(name: str) -> str:
    """Return the JSON path of a field; names that need quotes get brackets (RFC 9535)."""
    return f"$.{name}" if name.isidentifier() and name.isascii() else f"$[{shown(name)}]"
