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
from services.gateway.web.endpoints import JSON, Endpoint, Reply
from services.gateway.web.openapi import OutgoingCall, openapi_document
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.security import PAGE_HEADERS, READ_HEADERS
from services.gateway.web.urls import PAGES

_CACHE_CONTROL: Final = "public, max-age=60, must-revalidate"


@dataclass(frozen=True, slots=True)
class Description:
    """All endpoints, the description among them, and the document about them."""

    endpoints: Sequence[Endpoint]
    document: dict[str, Any]


def describe(endpoints: Sequence[Endpoint], webhooks: Sequence[OutgoingCall]) -> Description:
    """Return the endpoints and one more, which serves the document about all of them."""
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
    document = openapi_document([*endpoints, own], webhooks)
    ready.append(
        represent(
            orjson.dumps(document),
            content_type=JSON,
            cache_control=_CACHE_CONTROL,
            headers=READ_HEADERS,
        )
    )
    return Description([*endpoints, own], document)


def description_routes(description: Description, pages: Pages) -> list[web.RouteDef]:
    """Return the pages about the API, the problems by their codes, and a submission's schema."""
    reference = Reference.of(description.document)
    docs = _page(pages.render("docs.html", reference=reference))
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

    async def read_problems(request: web.Request) -> web.Response:
        return send(request, problems)

    async def read_problem(request: web.Request) -> web.Response:
        found = by_code.get(request.match_info["code"])
        if found is None:
            raise web.HTTPNotFound
        return send(request, found)

    return [
        web.get(PAGES["docs"], read_docs),
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
