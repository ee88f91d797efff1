"""Forms that do what an operation of the API does: their inputs and its body are one model's.

The body's JSON schema says which inputs there are, what they take and how they are read; the
operation, by its signature, what it needs besides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.rules import Caller
from services.gateway.pages.admin_form_fields import Fields, body, checked, text
from services.gateway.pages.admin_parts import AdminParts
from services.gateway.web.router import path_reader

Do = Callable[[web.Request, Fields, AdminAction], Awaitable[str]]
"""Does what a form asks for and returns what to tell, in one sentence."""
Says = Callable[[Any, Mapping[str, Any]], str]
"""Makes the sentence that is shown from an operation's result and its arguments."""
Reads = Callable[[Fields], Mapping[str, object]]
Schema = Mapping[str, Any]
_NO_PATH: Final = frozenset({"body", "action", "caller", "request_id", "return"})


@dataclass(frozen=True, slots=True)
class Input:
    """What a form's input takes: `type` as HTML names it."""

    type: str
    required: bool
    maxlength: int | None


@dataclass(frozen=True, slots=True)
class AdminForm:
    """An administrator's action as a form.

    Blank fields are left out unless `keep_blank`. What the operation's path names comes from the
    page's address or the field of its name, or from the field that `path` says. `reads` returns the
    body's values that are not in fields of their own names.
    """

    operation: Callable[..., Awaitable[Any]]
    says: Says | str
    keep_blank: bool = False
    path: Mapping[str, str] = field(default_factory=dict)
    reads: Reads = lambda _: {}

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Return the inputs by name."""
        model = _body_of(get_type_hints(self.operation))
        return {} if model is None else _inputs(model)

    def bound(self, parts: AdminParts) -> Do:
        """Return what the form does, with the operation's services, which are among `parts`."""
        hints = get_type_hints(self.operation, include_extras=True)
        services = {
            name: service
            for name, hint in hints.items()
            for service in (getattr(parts, each.name) for each in fields_of(parts))
            if type(service) is hint
        }
        readers = {
            name: (self.path.get(name), path_reader(hint))
            for name, hint in hints.items()
            if name not in services and name not in _NO_PATH
        }
        model = _body_of(hints)

        async def do(request: web.Request, fields: Fields, action: AdminAction) -> str:
            known = {
                "action": action,
                "caller": Caller.signed_in(action.who),
                "request_id": action.request_id,
            }
            given: dict[str, Any] = {name: known[name] for name in known.keys() & hints.keys()}
            for name, (other, read) in readers.items():
                sent = text(fields, other) if other else request.match_info.get(name)
                given[name] = read(sent or text(fields, name))
            if model is not None:
                values = form_values(model, fields, keep_blank=self.keep_blank)
                values |= self.reads(fields)
                if "why" in model.model_fields:
                    values["why"] = action.why
                given["body"] = body(model, **values)
            result = await self.operation(**services, **given)
            return self.says if isinstance(self.says, str) else self.says(result, given)

        return do


def form_values(model: type[BaseModel], fields: Fields, *, keep_blank: bool) -> dict[str, object]:
    """Return the values of a body's fields as a form sends them, by the body's JSON schema.

    Fields of a model in the body stand beside its own.
    """
    schema = _schema(model)
    return dict(_values(schema, schema, fields, keep_blank=keep_blank))


def _values(
    schema: Schema, whole: Schema, fields: Fields, *, keep_blank: bool
) -> Iterator[tuple[str, object]]:
    for name, each in schema["properties"].items():
        kinds, inner = _kinds(each), _model_in(each, whole)
        if inner is not None:
            yield name, dict(_values(inner, whole, fields, keep_blank=keep_blank))
        elif "boolean" in kinds:
            yield name, checked(fields, name)
        elif "array" in kinds:
            yield name, list(fields.getall(name, [])) or None
        elif name in fields and (keep_blank or text(fields, name)):
            yield name, text(fields, name)


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


@cache
def _inputs(model: type[BaseModel]) -> Mapping[str, Input]:
    return dict(_described(_schema(model), _schema(model)))


def _described(schema: Schema, whole: Schema) -> Iterator[tuple[str, Input]]:
    for name, each in schema["properties"].items():
        inner = _model_in(each, whole)
        if inner is not None:
            yield from _described(inner, whole)
            continue
        ways = each.get("anyOf", [each])
        longest = max((way.get("maxLength", 0) for way in ways), default=0)
        kind = "number" if _kinds(each) & {"integer", "number"} else "text"
        if any(way.get("format") == "date" for way in ways):
            kind = "date"
        yield name, Input(kind, name in schema.get("required", ()), longest or None)


def _kinds(schema: Schema) -> set[str]:
    return {way["type"] for way in schema.get("anyOf", [schema]) if "type" in way}


def _model_in(schema: Schema, whole: Schema) -> Schema | None:
    """Return the schema of the model that a property refers to; None if it refers to none."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    found: Schema | None = whole.get("$defs", {}).get(name)
    return found if found is not None and "properties" in found else None


def _body_of(hints: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the model of an operation's body, also of one that may be left out."""
    hint = hints.get("body")
    return get_args(hint)[0] if NoneType in get_args(hint) else hint
