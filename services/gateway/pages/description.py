"""The API's description as it is served: the document for programs, pages for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from medvid.benchmark.submission_schema import submission_schema
from medvid.models.problem_codes import PROBLEM_CODES
from services.gateway.pages.reference import Reference
from services.gateway.pages.rendering import Pages
from services.gateway.pages.schema_files import SchemaFiles
from services.gateway.web.endpoints import JSON, Endpoint, Reply
from services.gateway.web.openapi import OutgoingCall, openapi_document
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.security import PAGE_HEADERS, READ_HEADERS
from services.gateway.web.site import Site
from services.gateway.web.urls import PAGES, ROOT, url

_CACHE_CONTROL: Final = "public, max-age=60, must-revalidate"
_HERE: Final = "http://127.0.0.1:8080"
"""Where a site is whose address the operator did not set: the client's default."""


@dataclass(frozen=True, slots=True)
class Description:
    """All endpoints, the description among them, and the document about them."""

    endpoints: Sequence[Endpoint]
    document: dict[str, Any]


def describe(
    endpoints: Sequence[Endpoint], webhooks: Sequence[OutgoingCall], site: Site
) -> Description:
    """Return the endpoints and those that serve the document about all of them, and its models."""
    schemas = SchemaFiles(site)
    ready: list[Representation] = []

    async def description(request: web.Request) -> web.Response:
        return send(request, ready[0])

    own = Endpoint(
        "GET",
        "/openapi.json",
        description,
        summary="Read this description",
        tag="about",
        replies={200: Reply("This document (OpenAPI 3.1).", {JSON: None}, etag=True)},
    )
    every = [*endpoints, own, *schemas.endpoints()]
    document = openapi_document(every, webhooks)
    schemas.describe(document)
    ready.append(
        represent(
            orjson.dumps(document),
            content_type=JSON,
            cache_control=_CACHE_CONTROL,
            headers=READ_HEADERS,
        )
    )
    return Description(every, document)


def description_routes(description: Description, pages: Pages, site: Site) -> list[web.RouteDef]:
    """Return the pages about the API, the problems by their codes, and a submission's schema."""
    docs, for_administrators = (
        _page(
            pages.render(
                "docs.html",
                reference=Reference.of(description.document, administration=administration),
                administration=administration,
                site=(site.absolute(url("official")) if site.origin else _HERE).rstrip(ROOT),
            )
        )
        for administration in (False, True)
    )
    problems = _page(pages.render("problems.html", codes=PROBLEM_CODES, only=None))
    by_code = {
        code: _page(pages.render("problems.html", codes=PROBLEM_CODES, only=code))
        for code in PROBLEM_CODES
    }

    schema = represent(
        orjson.dumps(submission_schema()),
        content_type="application/schema+json",
        cache_control=_CACHE_CONTROL,
        headers=READ_HEADERS,
    )

    async def read_schema(request: web.Request) -> web.Response:
        return send(request, schema)

    async def read_docs(request: web.Request) -> web.Response:
        return send(request, docs)

    async def read_docs_for_administrators(request: web.Request) -> web.Response:
        return send(request, for_administrators)

    async def read_problems(request: web.Request) -> web.Response:
        return send(request, problems)

    async def read_problem(request: web.Request) -> web.Response:
        found = by_code.get(request.match_info["code"])
        if found is None:
            raise web.HTTPNotFound
        return send(request, found)

    return [
        web.get(PAGES["docs"], read_docs),
        web.get(PAGES["docs_administration"], read_docs_for_administrators),
        web.get(PAGES["problems"], read_problems),
        web.get(PAGES["problem"], read_problem),
        web.get(PAGES["submission_schema"], read_schema),
    ]


def _page(text: str) -> Representation:
    return represent(
        text.encode(),
        content_type="text/html; charset=utf-8",
        cache_control=_CACHE_CONTROL,
        headers=PAGE_HEADERS,
    )
