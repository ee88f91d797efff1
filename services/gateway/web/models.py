"""What every answer of the API shares: the base of the models, and problem documents."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.web.errors import Location


class Answer(BaseModel):
    """Base of all answers."""

    # A field that is always in a response is described as required, also where it has a default.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ProblemItem(Answer):
    """One thing to fix. `location` says into what `path` points."""

    location: Location
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
