"""The API's description arranged for reading: what the pages about it show.

Two pages: what owners and readers use, owners first; and what administrators alone may do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup, escape

from services.gateway.pages.examples import Examples, examples_of
from services.gateway.web.endpoints import EVENTS

Json = Mapping[str, Any]

_SHOWN_IN_PAGE: Final = ("application/json", "text/csv", EVENTS)
MODEL: Final = "#/components/schemas/"
_ADMINISTRATORS: Final = [{"apiKey": ["admin"]}]
_CODE: Final = re.compile(r"`([^`]+)`")
_ITEM: Final = "- "


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer. `kind` is HTML."""

    name: str
    kind: Markup
    required: bool
    description: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a body or an answer holds in one media type."""

    media_type: str
    kind: Markup


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `codes` are those of its problem document."""

    status: str
    description: str
    content: tuple[Content, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `tried_with`: "nothing" or "a token" where a page can send it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    access: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: tuple[Content, ...]
    responses: tuple[Response, ...]
    problems: tuple[Response, ...]
    examples: Examples
    tried_with: str
    deprecated: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one topic."""

    name: str
    description: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """A model by its name; `example` is JSON."""

    name: str
    description: str
    kind: Markup
    fields: tuple[Field, ...]
    example: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A whole page."""

    introduction: str
    groups: tuple[Group, ...]
    schemas: tuple[Schema, ...]

    @classmethod
    def of(cls, document: Json, *, administration: bool) -> Reference:
        """Arrange what administrators alone may do, or all else; with the models that it names."""
        schemas = document["components"]["schemas"]
        operations: dict[str, list[Operation]] = {}
        named: list[Json] = [] if administration else [document["webhooks"]]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if (operation["security"] == _ADMINISTRATORS) == administration:
                    found = _operation(method, path, operation, schemas)
                    operations.setdefault(operation["tags"][0], []).append(found)
                    named.append(operation)
        return cls(
            introduction=document["info"]["description"],
            groups=tuple(
                Group(tag["name"], tag.get("description", ""), tuple(operations[tag["name"]]))
                for tag in document["tags"]
                if tag["name"] in operations
            ),
            schemas=tuple(
                _schema(name, schemas[name]) for name in sorted(models_of(named, schemas))
            ),
        )


def models_of(part: object, schemas: Json) -> set[str]:
    """Return the names of the models that a part of a document refers to, at any remove."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
            name = str(each.get("$ref", "")).removeprefix(MODEL)
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
        elif isinstance(each, list):
            waiting += each
    return found


def prose(text: str) -> Markup:
    """Return text as HTML: paragraphs, lists of lines that begin with a hyphen, `code`."""
    return Markup("").join(_blocks(text))


def _blocks(text: str) -> Iterator[Markup]:
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        if not lines[0].startswith(_ITEM):
            yield Markup("<p>{}</p>").format(inline(" ".join(lines)))
            continue
        items: list[str] = []
        for line in lines:
            if line.startswith(_ITEM):
                items.append(line.removeprefix(_ITEM))
            else:
                items[-1] += f" {line.strip()}"
        yield Markup("<ul>{}</ul>").format(
            Markup("").join(Markup("<li>{}</li>").format(inline(item)) for item in items)
        )


def inline(text: str) -> Markup:
    """Return a text in which `code` is marked."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _operation(method: str, path: str, operation: Json, schemas: Json) -> Operation:
    responses = [_response(status, each) for status, each in operation["responses"].items()]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        access=tuple(_access(each) for each in operation["security"]),
        parameters=tuple(
            Field(
                name=each["name"],
                kind=kind_of(each["schema"]),
                required=each["required"],
                description=each.get("description", ""),
                place=each["in"],
            )
            for each in operation.get("parameters", [])
        ),
        body=tuple(_contents(operation.get("requestBody", {}))),
        responses=tuple(each for each in responses if not each.codes),
        problems=tuple(each for each in responses if each.codes),
        examples=examples_of(method, path, operation, schemas),
        tried_with=_tried_with(method, operation),
        deprecated=operation.get("deprecated", False),
    )


def _tried_with(method: str, operation: Json) -> str:
    """Return what a page sends along to try an operation; "" where it does not offer to.

    Reads alone, of what a page can show; no page asks for an administrator's key.
    """
    answers = [kind for each in operation["responses"].values() for kind in each.get("content", {})]
    if method != "get" or not set(answers) & set(_SHOWN_IN_PAGE):
        return ""
    if operation["security"] == _ADMINISTRATORS:
        return ""
    return "nothing" if operation["security"] == [{}] else "a token"


def _access(requirement: Json) -> str:
    if not requirement:
        return "anyone"
    (scheme, scopes) = next(iter(requirement.items()))
    return "owner token" if scheme == "ownerToken" else f"API key ({', '.join(scopes)})"


def _response(status: str, response: Json) -> Response:
    problem = response.get("content", {}).get("application/problem+json")
    return Response(
        status=status,
        description=response["description"],
        content=tuple(_contents(response)),
        codes=tuple(problem["schema"]["properties"]["code"]["enum"]) if problem else (),
    )


def _contents(holder: Json) -> Iterator[Content]:
    for media_type, content in holder.get("content", {}).items():
        yield Content(media_type, kind_of(content["schema"]))


def _schema(name: str, schema: Json) -> Schema:
    required = schema.get("required", [])
    examples = schema.get("examples")
    return Schema(
        name=name,
        description=schema.get("description", ""),
        kind=kind_of(schema),
        fields=tuple(
            Field(field, kind_of(each), field in required, each.get("description", ""))
            for field, each in schema.get("properties", {}).items()
        ),
        example=json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else None,
    )


def kind_of(schema: Json) -> Markup:
    """Return a schema in a few words of HTML, with links to models."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#model-{0}">{0}</a>').format(name)
    for several in ("anyOf", "allOf", "oneOf"):
        if several in schema:
            return Markup(" or ").join(dict.fromkeys(kind_of(each) for each in schema[several]))
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(v) for v in schema["enum"])
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind_of(schema.get("items", {})))
    return Markup("{}{}").format(_plain_kind(schema), _limits(schema))


def _plain_kind(schema: Json) -> Markup:
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and values:
        return Markup("object of {}").format(kind_of(values))
    return escape(schema.get("format") or schema.get("type", "anything"))


def _limits(schema: Json) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    unit = " characters" if "maxLength" in schema else ""
    if low is not None and high is not None:
        return f", {low:,} to {high:,}{unit}"
    if high is not None:
        return f", up to {high:,}{unit}"
    return f", from {low:,}" if low is not None else ""
