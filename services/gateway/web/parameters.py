"""Reads what is in an address and its query with the models that also describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_args
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.runtime.errors import InvalidInput, NotFound

_SHOWN: Final = 40
_NO_NUL: Final = r"^[^\u0000]*$"


class Parameters(BaseModel):
    """Base of the models of queries: what is not in them is refused, so typos are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _plain_moment(value: object) -> object:
    """Refuse numbers, which would be read as seconds since 1970."""
    if isinstance(value, str) and "-" not in value.strip("-"):
        raise ValueError("not a date and time, such as 2026-04-15T12:00:00Z")
    return value


def _of_our_years(moment: datetime) -> datetime:
    """Refuse what is in no year from 1 to 9999 of UTC, which is how moments are stored."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not within the years 1 to 9999, UTC") from None
    return moment


def without_nul(text: str) -> str:
    """Refuse a NUL, which no stored text can hold; raises ValueError."""
    if "\0" in text:
        raise ValueError("a text without NUL")
    return text


Number = int
"""A whole number in a query: plain digits, at most 18. Set its limits with Field."""
Position = Annotated[int, Field(ge=0, lt=10**18)]
"""The number of a row, where a page ended."""
Moment = Annotated[datetime, BeforeValidator(_plain_moment), AfterValidator(_of_our_years)]
"""A date and time in a query."""
Sought = Annotated[str, AfterValidator(without_nul), Field(json_schema_extra={"pattern": _NO_NUL})]
"""A text in a query that is looked for among what is stored."""
RowCursor = Annotated[str, Field(json_schema_extra={"format": "row-cursor"})]
"""The last row of a page, as `web.paging` writes it."""


class PageQuery(Parameters):
    """Which page of a list is asked for."""

    cursor: RowCursor | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=200, description="rows a page")


ModelT = TypeVar("ModelT", bound=BaseModel)


def query_of(request: web.Request, model: type[ModelT]) -> ModelT:
    """Return the query; raises InvalidInput for the first parameter that is wrong."""
    require_once(request.query, request.query)
    return read_query(request.query, model)


def require_once(query: MultiMapping[str], names: Iterable[str]) -> None:
    """Raise InvalidInput where one of these parameters is there twice: one would be left out."""
    for name in names:
        if len(query.getall(name, [])) > 1:
            raise _invalid(f"{name[:_SHOWN]!r} is there twice.", "Send it once.")


def read_query(query: Mapping[str, str], model: type[ModelT]) -> ModelT:
    """Return what a query asks for; raises InvalidInput for the first parameter that is wrong."""
    for name in _numbers(model) & query.keys():
        _check_number(name, query[name])
    try:
        return model.model_validate(dict(query))
    except ValidationError as error:
        raise _explained(error, model) from None


def headers_of(request: web.Request, model: type[ModelT]) -> ModelT:
    """Return the headers that a model describes, as they were sent; None where one was not."""
    found: dict[str, Any] = {
        name: request.headers.get(field.alias or name) for name, field in model.model_fields.items()
    }
    return model.model_construct(**found)


@cache
def _numbers(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(
        name for name, field in model.model_fields.items() if _is_number(field.annotation)
    )


def _is_number(annotation: object) -> bool:
    return annotation is int or any(_is_number(part) for part in get_args(annotation))


def _check_number(name: str, text: str) -> None:
    """Refuse what int() would take but nobody means: signs, spaces, underscores, other digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _invalid(f"{name} is {text[:_SHOWN]!r}.", "Use a plain number, such as 10.")


def _explained(error: ValidationError, model: type[BaseModel]) -> InvalidInput:
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


def id_reader(kind: str) -> Callable[[str], UUID]:
    """Return a reader of ids in a path; it raises NotFound (`KIND_not_found`) for other texts."""

    def read(text: str) -> UUID:
        found = uuid_of(text)
        if found is None:
            raise NotFound(
                f"there is no {kind.replace('_', ' ')} with this id.",
                fix="Check the id.",
                code=f"{kind}_not_found",
            )
        return found

    return read


def uuid_of(text: str) -> UUID | None:
    """Return a UUID in its usual spelling; None for any other text."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    # UUID() also takes braces, urn: and missing hyphens.
    return found if str(found) == text.lower() else None
