"""What the models share: their bases, and how a client reads what a newer server answers."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

API: Final = "/api/v1"
SCHEMA_VERSION: Final = 1
"""Of the answers that others keep and draw. Fields are added without a new number; it rises where
one goes or changes its meaning."""
SCHEMA_MEANING: Final = "rises where a field goes or changes its meaning, and stays for added ones"
_OF_A_SERVER: Final = "the answer of a server"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
T = TypeVar("T")
AnswerType = TypeVar("AnswerType", bound=BaseModel)


class _OpenValues:
    """Lets a client take texts outside the known values; the schema lists the known."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def validate(value: Any, known: Any, info: ValidationInfo) -> Any:
            of_a_server = info.context == _OF_A_SERVER and isinstance(value, str)
            return value if of_a_server else known(value)

        return core_schema.with_info_wrap_validator_function(validate, handler(source))


Open = Annotated[T, _OpenValues()]
"""`Open[Literal[...]]`: values to which a newer server may add."""


def _plain_day(value: object) -> object:
    """Refuse all that is no day alone: numbers, and moments."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("not a day, such as 2026-04-15")
    return value


Day = Annotated[date, BeforeValidator(_plain_day)]
"""A day in what is sent to us."""


def read_answer(content: str | bytes, answer: type[AnswerType]) -> AnswerType:
    """Return an answer as a client takes it; raises pydantic.ValidationError.

    A newer server may add values where they are `Open`, and fields, which are ignored.
    """
    return answer.model_validate_json(content, context=_OF_A_SERVER, extra="ignore")


class Answer(BaseModel):
    """Base of all answers."""

    # A field that is always in a response is described as required, also where it has a default.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class NumberedPage(Answer):
    """Base of the pages of lists that are numbered from 1; `total` counts what all hold."""

    page: int
    page_size: int
    total: int


class Page(Answer):
    """Base of the pages of lists: each has `next_cursor`, null on the last page."""

    if TYPE_CHECKING:  # each declares it behind its list, which is the order in answers
        next_cursor: str | None


class JsonBody(BaseModel):
    """Base of the models of bodies: what is not in them is refused, so typos are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")
