"""What the API answers, as the client reads it: tolerant, so that a newer server does no harm.

Fields that a newer server adds are kept; states and kinds are plain strings for the same reason.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Page(Answer):
    """A page of a list; None as `next_cursor`: it is the last one."""

    next_cursor: str | None


class Problem(Answer):
    """One thing to fix; `location` says whether `path` points into the form or the file.

    It is wrong `count` times, at first in `places`; an older server lists each by itself.
    """

    code: str
    path: str
    found: str
    expected: str
    fix: str
    location: str = "file"
    count: int = 1
    places: list[str] = Field([])


class ProblemDetails(Answer):
    """An error document of the server (RFC 9457)."""

    status: int
    code: str
    title: str = ""
    detail: str = ""
    fix: str = ""
    request_id: str = ""
    error_count: int | None = None
    errors: list[Problem] | None = None
    report: dict[str, Any] | None = None
