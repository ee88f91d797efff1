"""Reads what is in an address and its query with the models that also describe them."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.gateway.handlers import not_found
from shared.runtime.errors import InvalidInput

_SHOWN: Final = 40


class Parameters(BaseModel):
    """Base of the models of queries: what is not in them is refused, so typos are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SubmissionPath(BaseModel):
    """The address of a submission."""

    id: UUID = Field(description="the submission's id, as in its receipt")


def _plain_number(value: object) -> object:
    """Refuse what int() would take but nobody means: signs, spaces, underscores, other digits."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError("not a plain number")
    return value


Number = Annotated[int, BeforeValidator(_plain_number)]
"""A whole number in a query; set its limits with Field."""

ParametersT = TypeVar("ParametersT", bound=Parameters)


def query_of(request: web.Request, model: type[ParametersT]) -> ParametersT:
    """Return the query; raises InvalidInput for the first parameter that is wrong."""
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise _invalid(f"{name[:_SHOWN]!r} is there twice.", "Send it once.")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise _explained(error, model) from None


def _explained(error: ValidationError, model: type[Parameters]) -> InvalidInput:
    first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "the query"
    if first["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return _invalid(f"there is no parameter {name[:_SHOWN]!r} here.", f"There is {known}.")
    if first["type"] == "missing":
        return _invalid(f"the parameter {name!r} is missing.", "Send it.")
    message = first["msg"].removeprefix("Value error, ")
    return _invalid(f"{name} is {str(first['input'])[:_SHOWN]!r}.", f"{message}.")


def _invalid(detail: str, fix: str) -> InvalidInput:
    return InvalidInput(detail, fix=fix, code="invalid_query")


def submission_id(request: web.Request) -> UUID:
    """Return the id in the address; raises NotFound where it is none."""
    found = uuid_of(request.match_info["id"])
    if found is None:
        raise not_found()
    return found


def uuid_of(text: str) -> UUID | None:
    """Return a UUID in its usual spelling; None for any other text."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    # UUID() also takes braces, urn: and missing hyphens.
    return found if str(found) == text.lower() else None
