"""What a submission asks for beside being scored: to replace a version, or to be evaluated only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.benchmark.names import name_key
from shared.benchmark.report import Problem, shown

OPTION_FIELDS: Final = ("replaces", "evaluate_only")
"""Form fields that say what to do rather than what the model is."""
_YES: Final = frozenset({"true", "1", "yes", "on"})
_NO: Final = frozenset({"false", "0", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class Options:
    """`replaces`: the submission whose model this is a new version of."""

    replaces: UUID | None = None
    evaluate_only: bool = False


def read_options(texts: Mapping[str, str]) -> tuple[Options, list[Problem]]:
    """Return the options of a form, and every problem of them."""
    problems = []
    replaces = None
    given = texts.get("replaces", "").strip()
    if given:
        replaces = _uuid(given)
        if replaces is None:
            problems.append(
                Problem("invalid_id", "$.replaces", shown(given), "the id of a submission",
                        "Copy it from the receipt of the version before.")
            )  # fmt: skip
    wish = texts.get("evaluate_only", "").strip().lower()
    if wish not in _YES | _NO:
        problems.append(
            Problem("invalid_choice", "$.evaluate_only", shown(wish), "true or false",
                    "Send true to be ranked on no board.")
        )  # fmt: skip
    if given and wish in _YES:
        problems.append(
            Problem("contradiction", "$.evaluate_only", "a new version that is only evaluated",
                    "one of 'replaces' and 'evaluate_only'", "Leave one of them out.")
        )  # fmt: skip
    return Options(replaces, wish in _YES), problems


def check_same_name(given: str | None, kept: str) -> list[Problem]:
    """Return the problem of a new version under another name; without a name it keeps the old."""
    if given is None or not given.strip() or name_key(given) == name_key(kept):
        return []
    return [
        Problem("name_differs", "$.model_name", shown(given), shown(kept),
                "Leave it out; a model with another name is a submission of its own.")
    ]  # fmt: skip


def _uuid(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
