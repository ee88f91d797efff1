"""What the page's forms carry, as the API's bodies: the same models check both."""

from __future__ import annotations

from typing import Final, TypeVar

from multidict import MultiDictProxy
from pydantic import BaseModel, ValidationError

from medvid.benchmark.report import Problem
from medvid.models.problems import problem_of
from services.gateway.web.errors import RefusedBody

FILE: Final = "file"
"""The field whose content is no text."""
Fields = MultiDictProxy[str | bytes]
Model = TypeVar("Model", bound=BaseModel)


def text(fields: Fields, name: str) -> str:
    """Return a field's text without white space at its ends, '' where there is none."""
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def given(fields: Fields, *names: str) -> dict[str, str]:
    """Return the fields that are not blank."""
    return {name: value for name in names if (value := text(fields, name))}


def checked(fields: Fields, name: str) -> bool:
    """Tell whether a box is ticked."""
    return text(fields, name) == "yes"


def numbers(fields: Fields, *names: str) -> dict[str, object]:
    """Return numeric fields that are not blank; one that is no number is refused as what it is."""
    return {name: _number(value) for name, value in given(fields, *names).items()}


def body(model: type[Model], **values: object) -> Model:
    """Return the API's body of a form; raises RefusedBody with every problem."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RefusedBody(
            [problem_of(found) for found in error.errors(include_url=False)]
        ) from None


def upload(fields: Fields, name: str) -> bytes:
    """Return a file of a form; raises RefusedBody where none was chosen, or an empty one."""
    value = fields.get(name)
    if not isinstance(value, bytes) or not value:
        problem = Problem("missing_field", f"$.{name}", "no file", "a file", "Choose a file.")
        raise RefusedBody([problem])
    return value


def _number(value: str) -> object:
    try:
        return float(value)
    except ValueError:
        return value
