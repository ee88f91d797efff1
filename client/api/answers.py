"""What the API answers, as the client reads it: tolerant, so that a newer server does no harm.

Fields that a newer server adds are kept; states and kinds are plain strings for the same reason.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Problem(Answer):
    """One thing to mend; `location` says whether `path` points into the form or the file."""

    code: str
    path: str
    found: str
    expected: str
    fix: str
    location: str = "file"


class ProblemDetails(Answer):
    """An error as the server tells it (RFC 9457)."""

    status: int
    code: str
    title: str = ""
    detail: str = ""
    fix: str = ""
    request_id: str = ""
    error_count: int | None = None
    errors: list[Problem] | None = None
    report: dict[str, Any] | None = None
