"""Problem documents: what the API answers instead of what was asked for (RFC 9457)."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from medvid.benchmark.report import Problem, shown
from medvid.models.base import Answer, Open
from medvid.models.tombstones import Tombstone

_WORD: Final = re.compile(r"[a-z]+(?=[ ,:.;]|'s )")


def sentence(detail: str) -> str:
    """Return it with a capital letter, unless it begins with a name, whose case counts."""
    word = _WORD.match(detail)
    return detail[:1].upper() + detail[1:] if word and "." not in detail.split()[0][:-1] else detail


Location = Literal["form", "file", "body"]
"""What the path of a problem points into."""


class ProblemItem(Answer):
    """One thing to fix. `location` says into what `path` points."""

    location: Open[Location] = Field(default_factory=lambda: "file")
    code: str
    path: str
    found: str
    expected: str
    fix: str
    count: int = Field(1, description="how many places have this problem in this field")
    places: list[str] = Field([], description="the first three paths")


class ProblemDetails(Answer):
    """An error as RFC 9457 has it, with a stable `code` and what to do about it (`fix`)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = Field(description="the address that explains the code")
    title: str
    status: int
    code: str
    detail: str
    fix: str
    request_id: str
    error_count: int | None = Field(
        None, description="all problems; 'errors' lists 100 at most, equal ones once with a count"
    )
    errors: list[ProblemItem] | None = None
    report: dict[str, Any] | None = Field(None, description="the validation report of the file")
    entry: Tombstone | None = Field(
        None, description="what is kept of an entry that left its board, with status 410"
    )


def problem_of(error: Any) -> Problem:
    """Return what a model found wrong, with its place."""
    path = "$" + "".join(map(_step, error["loc"]))
    expected = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return Problem("missing_field", path, "nothing", "a value", "Send the field.")
    if error["type"] == "extra_forbidden":
        return Problem("unknown_field", path, "a field that is not known", "known fields only",
                       "Check its spelling or leave it out.")  # fmt: skip
    return Problem("wrong_value", path, shown(error["input"]), expected, "Correct the value.")


def _step(part: int | str) -> str:
    """Return a step of a JSON path, also for a name that needs quoting (RFC 9535 bracket form)."""
    if isinstance(part, str) and part.isidentifier() and part.isascii():
        return f".{part}"
    return f"[{part if isinstance(part, int) else shown(part)}]"
