"""JSON schemas of the API's models, as OpenAPI 3.1 takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

_REFERENCE: Final = "#/components/schemas/{model}"
_Mode = Literal["validation", "serialization"]
Use = Literal["answer", "body", "parameters"]


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - theirs
        return False  # a title that repeats the name tells nothing

    def frozenset_schema(self, schema: Any) -> dict[str, Any]:
        # What is sent twice is taken as sent once.
        return {k: v for k, v in super().frozenset_schema(schema).items() if k != "uniqueItems"}


class Schemas:
    """The schemas of models.

    Each is given with what it is for. `definitions` has what the document refers to by name: all
    but the models of parameters, of which only the fields are shown.
    """

    def __init__(self, models: Iterable[tuple[type[BaseModel], Use]]) -> None:
        uses = dict.fromkeys(models)
        wanted: list[tuple[type[BaseModel], _Mode]] = list(
            dict.fromkeys((model, _mode(use)) for model, use in uses)
        )
        self._found, document = models_json_schema(
            wanted, ref_template=_REFERENCE, schema_generator=_Generator
        )
        self.definitions: dict[str, Any] = document.get("$defs", {})
        shown = {(model, _mode(use)) for model, use in uses if use != "parameters"}
        self._hidden = {
            name: self.definitions.pop(name)
            for key, schema in self._found.items()
            if key not in shown and (name := _name_of(schema)) is not None
        }
        for name, example in _examples().items():
            if name in self.definitions:
                self.definitions[name]["examples"] = [example]

    def answer(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return the schema of a model that we answer with."""
        return dict(self._found[model, "serialization"])

    def request(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return the schema of a model that a body is read with."""
        return dict(self._found[model, "validation"])

    def parameters(self, model: type[BaseModel], place: str) -> Iterator[dict[str, Any]]:
        """Yield the fields of a model as parameters in a path, a query or headers."""
        schema = self.request(model)
        name = _name_of(schema)
        if name is not None:
            schema = self._hidden.get(name) or self.definitions[name]
        required = schema.get("required", [])
        for name, field in schema.get("properties", {}).items():
            plain = _without_null(field)
            description = plain.pop("description", None)
            parameter = {"name": name, "in": place, "required": name in required}
            if description:
                parameter["description"] = description
            yield {**parameter, "schema": plain}


@cache
def _examples() -> dict[str, Any]:
    """Return an example of an answer by the name of its model."""
    text = files(__package__).joinpath("data/api_examples.json").read_text("utf-8")
    return dict(json.loads(text))


def _name_of(schema: Mapping[str, Any]) -> str | None:
    return schema["$ref"].rpartition("/")[2] if "$ref" in schema else None


def _mode(use: Use) -> _Mode:
    return "serialization" if use == "answer" else "validation"


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema without null, which a text cannot be: it is left out instead."""
    plain = {key: value for key, value in field.items() if key != "anyOf"}
    kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
    if plain.get("default", 0) is None:
        del plain["default"]
    if len(kinds) == 1:
        return {**kinds[0], **plain}
    return {**plain, "anyOf": kinds} if kinds else plain
