"""Endpoints: the data from which routing and the API's description are both made.

Routers make them from functions (`web.router`). `register` makes them routes; `refuse_undeclared`
keeps any other route out of `/api/v1`, so that every route there is described.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal

from aiohttp import hdrs, web
from pydantic import BaseModel

from medvid.models.base import API
from medvid.models.problem_codes import PROBLEM_CODES
from services.gateway.web.deprecation import Deprecated, announce, note_use, parameters_of
from services.gateway.web.negotiation import negotiate
from services.gateway.web.security import PREFLIGHT_HEADERS
from shared.runtime.errors import InvalidInput

JSON: Final = "application/json"
CSV: Final = "text/csv"
JSON_LINES: Final = "application/jsonl"
MARKDOWN: Final = "text/markdown"
LATEX: Final = "text/x-tex"
BIBTEX: Final = "application/x-bibtex"
YAML: Final = "application/yaml"
HTML: Final = "text/html; charset=utf-8"
EVENTS: Final = "text/event-stream"
FORM: Final = "multipart/form-data"

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Access(StrEnum):
    """Who may call an endpoint: anyone, or the bearer of what is named."""

    PUBLIC = "public"
    OWNER = "owner"  # the submission's owner token
    SUBMIT = "submit"  # an API key with this scope; so are the others
    JUDGE = "judge"
    ADMIN = "admin"


PUBLIC: Final = (Access.PUBLIC,)
ADMIN: Final = (Access.ADMIN,)
OWNERS: Final = (Access.OWNER, Access.SUBMIT, Access.ADMIN)
"""The submission's owner token, the key that it was sent with, or an administrator's."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries. Its model describes JSON, or the fields of a form."""

    model: type[BaseModel]
    media_type: str = JSON
    description: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class ReplyLink:
    """What can be asked next: an endpoint, and where its parameters are in this answer.

    Places are runtime expressions of OpenAPI, such as `$response.body#/id`.
    """

    method: Method
    path: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no problem: models by media type, None where the type says it all.

    `headers` are described by name; `etag` says that the answer has one and 304 may come instead.
    """

    description: str
    content: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: bool = False
    links: Mapping[str, ReplyLink] = field(default_factory=dict)


def json_reply(
    description: str,
    model: type[BaseModel],
    *,
    headers: Mapping[str, str] | None = None,
    etag: bool = False,
    links: Mapping[str, ReplyLink] | None = None,
) -> Reply:
    """Return the usual reply: one JSON model."""
    return Reply(description, {JSON: model}, headers or {}, etag, links or {})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address.

    `path` comes after `/api/v1` and names its parameters in braces. The models of path, query and
    headers are those that the handler parses with (`parameters`). `problems` are the codes that
    this endpoint in particular answers with; those that every endpoint may are added. `access`
    lists the alternatives, any of which is enough. A GET answers HEAD too unless `head` is False.
    """

    method: Method
    path: str
    handler: Handle
    summary: str
    tag: str
    replies: Mapping[int, Reply]
    description: str = ""
    path_model: type[BaseModel] | None = None
    query_model: type[BaseModel] | None = None
    header_model: type[BaseModel] | None = None
    body: Body | None = None
    problems: Sequence[str] = ()
    access: Sequence[Access] = PUBLIC
    head: bool = True
    deprecated: Deprecated | None = None

    def __post_init__(self) -> None:
        unknown = [code for code in self.problems if code not in PROBLEM_CODES]
        if unknown:
            raise ValueError(f"{self.method} {self.path}: {unknown} are not in problem_codes.py")

    @property
    def address(self) -> str:
        """The whole path, with parameters in braces."""
        return API + self.path

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it answers."""
        return ("GET", "HEAD") if self.method == "GET" and self.head else (self.method,)

    def handled_by(self, handler: Handle) -> Endpoint:
        """Return the endpoint with another handler."""
        return replace(self, handler=handler)


ENDPOINTS: Final = web.AppKey("endpoints", list[Endpoint])
"""All endpoints of an application, in the order in which they were registered."""


def register(app: web.Application, endpoints: Iterable[Endpoint]) -> None:
    """Make endpoints the routes of an application.

    An address with a parameter matches any text without a slash, also what is no valid value, so
    that the handler can say what is wrong with it.
    """
    methods: dict[str, set[str]] = {}
    for endpoint in endpoints:
        handler = _checked(endpoint)
        for method in endpoint.methods:
            app.router.add_route(method, _pattern(endpoint.address), handler)
        methods.setdefault(endpoint.address, {"OPTIONS"}).update(endpoint.methods)
        app.setdefault(ENDPOINTS, []).append(endpoint)
    if announce not in app.on_response_prepare:
        app.on_response_prepare.append(announce)
    for address, allowed in methods.items():
        app.router.add_route("OPTIONS", _pattern(address), _options(allowed))


def _pattern(address: str) -> str:
    return address.replace("}", ":[^/]+}")


def _checked(endpoint: Endpoint) -> Handle:
    """Refuse what no handler looks at: an Accept that no reply meets, a query without model."""
    offered = tuple(
        media_type
        for status, reply in endpoint.replies.items()
        if status < 300
        for media_type in reply.content
    )

    itself = [endpoint.deprecated] if endpoint.deprecated else []
    parameters = parameters_of(endpoint.query_model)

    async def checked(request: web.Request) -> web.StreamResponse:
        if itself or parameters:
            used = (mark for name, mark in parameters.items() if name in request.query)
            note_use(request, [*itself, *used])
        if endpoint.query_model is None and request.query_string:
            raise InvalidInput(
                "this address has no query parameters.",
                fix="Leave out the question mark and what follows.",
                code="invalid_query",
            )
        accept = request.headers.get(hdrs.ACCEPT)
        if accept is not None and offered and negotiate(accept, offered) is None:
            raise InvalidInput(
                f"none of what is here suits 'Accept: {accept[:100]}'.",
                fix=f"Accept {' or '.join(offered)}.",
                code="not_acceptable",
            )
        return await endpoint.handler(request)

    return checked


def _options(allowed: Iterable[str]) -> Handle:
    """Answer what an address allows, and to browsers that scripts of any site may read it."""
    allow = {"Allow": ", ".join(sorted(allowed))}
    headers = PREFLIGHT_HEADERS | allow if "GET" in allowed else allow

    async def options(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=headers)

    return options


def refuse_undeclared(app: web.Application) -> None:
    """Raise ValueError where a route under `/api/v1` was added without being an Endpoint."""
    declared = {
        (method, endpoint.address)
        for endpoint in app.get(ENDPOINTS, [])
        for method in (*endpoint.methods, "OPTIONS")
    }
    for route in app.router.routes():
        address = route.resource.canonical if route.resource is not None else ""
        if address.startswith(f"{API}/") and (route.method, address) not in declared:
            raise ValueError(f"{route.method} {address} is no Endpoint: declare it and register it")
