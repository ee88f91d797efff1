"""The models of the API for programs: JSON Schemas, each at its `$id`, and TypeScript types.

The TypeScript types are made at each release of the contract (`scripts/types`); the schemas here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import Field, create_model

from medvid.models.base import SCHEMA_MEANING, SCHEMA_VERSION, Answer
from services.gateway.pages.reference import MODEL, models_of
from services.gateway.web.endpoints import Endpoint, Reply, json_reply
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.site import Site
from services.gateway.web.urls import url

TYPES: Final = "data/api.d.ts"
_TEXT: Final = "text/plain"
SCHEMA_TYPE: Final = "application/schema+json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_CACHE_CONTROL: Final = "public, max-age=60, must-revalidate"
_NAME: Final = Field(description="a model's name, as in the list", examples=["Leaderboard"])
_Path: Final = create_model("SchemaName", name=(str, _NAME))


class SchemaLink(Answer):
    """Where the JSON Schema of a model is."""

    name: str
    url: str = Field(description="also its $id, with this site's host where that is set")


class SchemaIndex(Answer):
    """The JSON Schemas there are."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    schemas: list[SchemaLink] = Field(description="by name")


class SchemaFiles:
    """The schemas of a description of the API; each is written when it is first asked for."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._schemas: Mapping[str, Any] = {}
        self._index: Representation | None = None
        self._made: dict[str, Representation] = {}

    def describe(self, document: Mapping[str, Any]) -> None:
        """Take the models of the description, of which the operations here are a part."""
        self._schemas = document["components"]["schemas"]
        links = [SchemaLink(name=name, url=_address(name)) for name in sorted(self._schemas)]
        self._index = _ready(
            SchemaIndex(schemas=links).model_dump_json().encode(), "application/json"
        )

    def endpoints(self) -> list[Endpoint]:
        """Return the operations that read them."""
        return [
            Endpoint(
                "GET",
                "/schemas",
                self._read_index,
                summary="List the JSON Schemas",
                tag="about",
                replies={200: json_reply("The schemas.", SchemaIndex, etag=True)},
            ),
            Endpoint(
                "GET",
                "/schemas/{name}.json",
                self._read,
                summary="Read the JSON Schema of a model",
                description="It stands alone: the models that it names are under `$defs`.",
                tag="about",
                replies={200: Reply("The schema (draft 2020-12).", {SCHEMA_TYPE: None}, etag=True)},
                path_model=_Path,
            ),
            Endpoint(
                "GET",
                "/types.d.ts",
                self._read_types,
                summary="Read TypeScript types",
                description="Of every model and operation, as openapi-typescript writes them.",
                tag="about",
                replies={200: Reply("The types.", {_TEXT: None}, etag=True)},
            ),
        ]

    async def _read_index(self, request: web.Request) -> web.Response:
        assert self._index is not None  # noqa: S101 - described before anything is served
        return send(request, self._index)

    async def _read_types(self, request: web.Request) -> web.Response:
        return send(request, _types())

    async def _read(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._schemas:
            raise web.HTTPNotFound
        if name not in self._made:
            content = orjson.dumps(standing_alone(name, self._schemas, self._site))
            self._made[name] = _ready(content, SCHEMA_TYPE)
        return send(request, self._made[name])


def standing_alone(name: str, schemas: Mapping[str, Any], site: Site) -> dict[str, Any]:
    """Return a model's schema with the models that it names under `$defs`."""
    others = models_of(schemas[name], schemas)
    found: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": site.absolute(_address(name)),
        "title": name,
        **_moved(schemas[name]),
    }
    definitions = {other: _moved(schemas[other]) for other in sorted(others)}
    return {**found, "$defs": definitions} if definitions else found


@cache
def _types() -> Representation:
    content = files("services.gateway.web").joinpath(TYPES).read_bytes()
    return _ready(content, f"{_TEXT}; charset=utf-8")


def _address(name: str) -> str:
    return url("api_schema", name=name)


def _moved(part: Any) -> Any:
    """Return a part of a schema whose references lead to `$defs`."""
    if isinstance(part, Mapping):
        return {
            key: f"#/$defs/{value.removeprefix(MODEL)}"
            if key == "$ref" and isinstance(value, str)
            else _moved(value)
            for key, value in part.items()
        }
    return [_moved(each) for each in part] if isinstance(part, list) else part


def _ready(content: bytes, content_type: str) -> Representation:
    return represent(
        content, content_type=content_type, cache_control=_CACHE_CONTROL, headers=READ_HEADERS
    )
