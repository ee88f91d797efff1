"""The API's description (OpenAPI 3.1), made from the endpoints and the models they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

from pydantic import BaseModel

from medvid.benchmark.tasks import BOARDS
from medvid.models.problem_codes import (
    ADMINISTRATION,
    KEY_PROBLEMS,
    PROBLEM_CODES,
)
from medvid.models.problems import ProblemDetails
from services.gateway.web.deprecation import Deprecated, parameters_of
from services.gateway.web.endpoints import ADMIN, EVENTS, JSON, YAML, Access, Body, Endpoint, Reply
from services.gateway.web.problems import PROBLEM_TYPE, problem_type
from services.gateway.web.schemas import Schemas, Use
from services.gateway.web.site import site
from services.gateway.web.urls import ROOT, url

Json = dict[str, Any]

_TITLE: Final = "MedVidBench leaderboard"
_DESCRIPTION: Final = """\
Submit predictions, follow how they are scored and judged, read the boards.

- Errors are problem documents (RFC 9457). `code` is stable, `fix` says what to do about it.
- HEAD answers like GET, without the body; OPTIONS lists the methods in `Allow`; another method gets
  405 with code `method_not_allowed`.
- Answers with an `ETag` can be asked for again with `If-None-Match`: 304 where nothing changed.
- Each answer has an `X-Request-ID`: the one you sent, if it has 1 to 64 letters, digits, `.`, `_`
  and `-`, or else one made here.
- New entries are announced by Atom feeds: {feeds}.
- Scripts of any site may read (GET, HEAD), without credentials.
- What takes a key or a token refuses one that is not known (`unknown_credential` and others), also
  where none is needed: nothing is done as if you had sent none. What is public takes none, and
  does not look at the header.
- New fields and values may appear in answers at any time; what is here keeps its meaning, and
  `schema_version` of boards and entries rises where a field goes.
- What is deprecated works on for 180 days at least. Its answers have `Deprecation` (RFC 9745),
  `Sunset` (RFC 8594) once its end is known, and a `Link` to what to use instead.
"""
_TAGS: Final = {
    "submissions": "Predictions on their way to a board.",
    "judging": "Grading of captions by a language model, and its verdicts.",
    "objections": "What somebody holds against an entry, and what its owner answers.",
    "webhooks": "Notifications, instead of asking, when a submission moves on.",
    "keys": "API keys, and what may be done with them how often.",
    "boards": "Ranked models, in public. Nobody needs a token; an Authorization is not looked at.",
    "tracks": "Challenges: their rules, times and final results.",
    "status": "Whether everything works.",
    "administration": "For maintainers. Every action needs a reason and is logged for ever.",
    "about": "The API itself.",
}
_SECURITY_SCHEMES: Final = {
    "ownerToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A submission's owner token (`mvb_...`), shown once in its receipt.",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key with the scope named at the endpoint: submit, judge or admin.",
    },
}
_EVENT: Final = {
    "type": "object",
    "description": "one event; `data` is JSON in one line",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string"},
    },
}
_HEADERS: Final = {
    "X-Request-ID": "names this request in our logs",
    "ETag": "names this very state of the answer, for If-None-Match",
    "Retry-After": "seconds after which trying again makes sense",
    "WWW-Authenticate": "that a bearer token is asked for",
    "Deprecation": "since when what was used is deprecated, as '@' and seconds since 1970",
    "Sunset": "when what was used ends",
}
_ANYWHERE: Final = ("bad_request", "head_too_long", "invalid_query", "internal", "unavailable")
"""The codes that every operation may answer with."""
_HEADERS_BY_STATUS: Final = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A request that this server sends: what it carries, and what its receiver answers."""

    name: str
    summary: str
    description: str
    tag: str
    body: type[BaseModel]
    headers: type[BaseModel]
    responses: Mapping[str, str]


def openapi_document(endpoints: Sequence[Endpoint], webhooks: Sequence[OutgoingCall] = ()) -> Json:
    """Return the description of these endpoints; raises ValueError where two are the same."""
    schemas = Schemas([*_models(endpoints), *_webhook_models(webhooks)])
    paths: Json = {}
    for endpoint in endpoints:
        operations = paths.setdefault(endpoint.address, {})
        if endpoint.method.lower() in operations:
            raise ValueError(f"{endpoint.method} {endpoint.address} is declared twice")
        operations[endpoint.method.lower()] = _operation(endpoint, schemas)
    used = {endpoint.tag for endpoint in endpoints}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": _TITLE,
            "version": "1",
            "description": _DESCRIPTION.format(feeds=_feeds()),
            **_contact(),
        },
        **_paper(),
        "servers": [{"url": url("official").rstrip(ROOT) or ROOT}],
        "tags": [
            {"name": name, "description": text} for name, text in _TAGS.items() if name in used
        ]
        + [{"name": name} for name in sorted(used - set(_TAGS))],
        "paths": paths,
        "webhooks": {webhook.name: _webhook(webhook, schemas) for webhook in webhooks},
        "components": {
            "schemas": schemas.definitions,
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in _HEADERS.items()
            },
            "examples": {code: {"value": _example(code)} for code in PROBLEM_CODES},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _feeds() -> str:
    addresses = [url("feed"), *(url("board_feed", board=board) for board in BOARDS)]
    return ", ".join(f"`{address}`" for address in addresses)


def _contact() -> Json:
    """Return whom the description names, where the site names somebody."""
    contact = site().links.contact
    if contact is None:
        return {}
    way = (
        {"email": contact.partition(":")[2]} if contact.startswith("mailto:") else {"url": contact}
    )
    return {"contact": {"name": site().maintainers, **way}}


def _paper() -> Json:
    paper = site().links.paper
    return {"externalDocs": {"description": "The paper", "url": paper}} if paper else {}


def operation_id(method: str, path: str) -> str:
    """Return the name of an operation, as generated clients use it."""
    words = path.replace("{", "").replace("}", "").replace(".", "/").split("/")
    return "_".join([method.lower(), *filter(None, words)])


def problem_codes(endpoint: Endpoint) -> list[str]:
    """Return every code that an endpoint may answer with, by status and name."""
    codes = {*_ANYWHERE, *endpoint.problems}
    if any(reply.content for status, reply in endpoint.replies.items() if status < 300):
        codes.add("not_acceptable")
    if "{" in endpoint.path:
        codes.add("not_found")
    if endpoint.body is not None:
        codes |= {"unsupported_media_type", "too_large"}
        if endpoint.body.media_type == JSON:
            codes |= {"invalid_body", "body_too_slow"}
    if set(endpoint.access) != {Access.PUBLIC}:
        codes |= {*KEY_PROBLEMS, "invalid_token", "unknown_credential"}
    if tuple(endpoint.access) == ADMIN:
        codes |= {*ADMINISTRATION}
    if Access.PUBLIC not in endpoint.access:
        codes.add("token_required")
    return sorted(codes, key=lambda code: (PROBLEM_CODES[code].status, code))


def _models(endpoints: Sequence[Endpoint]) -> Iterator[tuple[type[BaseModel], Use]]:
    """Yield the models of endpoints, each with what it is for."""
    yield ProblemDetails, "answer"
    for endpoint in endpoints:
        for parameters in (endpoint.path_model, endpoint.query_model, endpoint.header_model):
            if parameters is not None:
                yield parameters, "parameters"
        if endpoint.body is not None:
            yield endpoint.body.model, "body"
        for reply in endpoint.replies.values():
            yield from ((model, "answer") for model in reply.content.values() if model is not None)


def _webhook_models(webhooks: Sequence[OutgoingCall]) -> Iterator[tuple[type[BaseModel], Use]]:
    for webhook in webhooks:
        yield webhook.body, "answer"
        yield webhook.headers, "parameters"


def _webhook(webhook: OutgoingCall, schemas: Schemas) -> Json:
    content = {JSON: {"schema": schemas.answer(webhook.body)}}
    return {
        "post": {
            "summary": webhook.summary,
            "description": webhook.description,
            "tags": [webhook.tag],
            "parameters": list(schemas.parameters(webhook.headers, "header")),
            "requestBody": {"required": True, "content": content},
            "responses": {
                status: {"description": text} for status, text in webhook.responses.items()
            },
        }
    }


def _operation(endpoint: Endpoint, schemas: Schemas) -> Json:
    operation: Json = {
        "operationId": operation_id(endpoint.method, endpoint.path),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
    }
    mark = endpoint.deprecated
    described = [mark.note if mark else "", endpoint.description]
    description = "\n\n".join(filter(None, described))
    if description:
        operation["description"] = description
    if mark:
        operation["deprecated"] = True
    parameters = list(_parameters(endpoint, schemas))
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = _body(endpoint.body, schemas)
    operation["responses"] = dict(sorted(_responses(endpoint, schemas)))
    operation["security"] = [_security(access) for access in endpoint.access]
    return operation


def _security(access: Access) -> dict[str, list[str]]:
    if access is Access.PUBLIC:
        return {}
    return {"ownerToken": []} if access is Access.OWNER else {"apiKey": [access.value]}


def _parameters(endpoint: Endpoint, schemas: Schemas) -> Iterator[Json]:
    for place, model in (
        ("path", endpoint.path_model),
        ("query", endpoint.query_model),
        ("header", endpoint.header_model),
    ):
        if model is not None:
            marks = parameters_of(model)
            for parameter in schemas.parameters(model, place):
                yield _marked(parameter, marks.get(parameter["name"]))
    if any(reply.etag for reply in endpoint.replies.values()):
        yield {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "entity tags that the asker has; with one of them the answer is 304",
            "schema": {"type": "string"},
        }


def _marked(parameter: Json, mark: Deprecated | None) -> Json:
    if mark is None:
        return parameter
    described = "; ".join(filter(None, [parameter.get("description"), mark.note]))
    return {**parameter, "description": described, "deprecated": True}


def _body(body: Body, schemas: Schemas) -> Json:
    described = {"description": body.description} if body.description else {}
    content = {body.media_type: {"schema": schemas.request(body.model)}}
    return {**described, "required": body.required, "content": content}


def _responses(endpoint: Endpoint, schemas: Schemas) -> Iterator[tuple[str, Json]]:
    for status, reply in endpoint.replies.items():
        yield str(status), _reply(reply, schemas)
    if any(reply.etag for reply in endpoint.replies.values()):
        yield "304", {"description": "What the asker has is current.", "headers": _headers("ETag")}
    codes = problem_codes(endpoint)
    for status, group in groupby(codes, key=lambda code: PROBLEM_CODES[code].status):
        yield str(status), _problem(status, list(group), schemas)


def _reply(reply: Reply, schemas: Schemas) -> Json:
    described: Json = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in reply.headers.items()
    }
    response: Json = {
        "description": reply.description,
        "headers": described | _headers(*(("ETag",) if reply.etag else ())),
    }
    if reply.content:
        response["content"] = {
            media_type: {"schema": _content_schema(media_type, model, schemas)}
            for media_type, model in reply.content.items()
        }
    if reply.links:
        response["links"] = {
            name: {
                "operationId": operation_id(link.method, link.path),
                "parameters": dict(link.parameters),
            }
            for name, link in reply.links.items()
        }
    return response


def _content_schema(media_type: str, model: type[BaseModel] | None, schemas: Schemas) -> Json:
    if model is not None:
        return schemas.answer(model)
    if media_type == EVENTS:
        return _EVENT
    if media_type == YAML:
        return {"type": ["object", "array"]}
    return {"type": "object"} if media_type.endswith("json") else {"type": "string"}


def _problem(status: int, codes: Sequence[str], schemas: Schemas) -> Json:
    meanings = "\n".join(f"- `{code}`: {PROBLEM_CODES[code].meaning}" for code in codes)
    narrowed = {
        "allOf": [schemas.answer(ProblemDetails)],
        "properties": {"code": {"enum": list(codes)}, "status": {"const": status}},
    }
    return {
        "description": f"{HTTPStatus(status).phrase}.\n\n{meanings}",
        "headers": _headers(*_HEADERS_BY_STATUS.get(status, ())),
        "content": {
            PROBLEM_TYPE: {
                "schema": narrowed,
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }


def _example(code: str) -> Mapping[str, object]:
    known = PROBLEM_CODES[code]
    return {
        "type": problem_type(code),
        "title": HTTPStatus(known.status).phrase,
        "status": known.status,
        "code": code,
        "detail": known.meaning,
        "fix": "",
        "request_id": "5f3a9c2e71d4-1b",
    }


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *names)}
