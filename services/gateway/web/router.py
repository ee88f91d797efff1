"""Operations of the API, each declared by the function that does it.

    router = Router("webhooks")

    @router.get("/submissions/{id}/webhook", reply="Its deliveries.", access=OWNERS)
    async def read_webhook(
        webhooks: Webhooks, id: SubmissionId, query: PageQuery, caller: Caller
    ) -> WebhookStatus:
        '''Read the state of a webhook.'''

The docstring's first line is the summary in the API's description, the rest is the description; the
return type is the reply. Parameters say what the function needs:

- `request`, `request_id`, `address` (that pays for the request), `caller` (identified once, before
  the body is read; checks in its annotation are made at once);
- a name in the path's braces: `PathText` in its annotation reads it;
- `query`, `headers`, `body`: the models that also describe them; a body with a default may be left
  out;
- `action`: what an administrator does and why, which the body or the query says (`why`); an action
  without a body of its own has the router's `reason`;
- anything else is a service, found by its type.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType
from typing import (
    Annotated,
    Any,
    Final,
    Protocol,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from aiohttp import web
from pydantic import BaseModel, create_model

from services.gateway.web.bodies import LARGEST_BODY, body_of
from services.gateway.web.deprecation import Deprecated
from services.gateway.web.endpoints import (
    ADMIN,
    PUBLIC,
    Access,
    Body,
    Endpoint,
    Handle,
    Method,
    Reply,
    json_reply,
)
from services.gateway.web.middleware import request_id_of
from services.gateway.web.parameters import headers_of, query_of
from services.gateway.web.representations import Representation
from services.gateway.web.responses import json_response, send

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])
Admit = Callable[..., Awaitable[int | None]]
"""Raises where a caller may not send a body; returns how many bytes it may have, None: as usual."""
_NAMES: Final = re.compile(r"\{(\w+)\}")


class Gate(Protocol):
    """Tells who sends a request, and what an administrator does with it."""

    async def of(self, request: web.Request) -> Any:
        """Return the caller; raises NotAllowed for credentials that are not valid."""

    def require_administrator(self, caller: Any) -> None:
        """Raise NotAllowed unless the caller administers."""

    def action(self, caller: Any, why: str, request_id: str) -> Any:
        """Return the admin action; raises InvalidInput where the reason is missing or not valid."""

    def address(self, request: web.Request) -> str:
        """Return the address that pays for a request."""


@dataclass(frozen=True, slots=True)
class PathText:
    """In a parameter's annotation: reads the text of the path; raises NotFound."""

    read: Callable[[str], object]


class Router:
    """Collects the operations of a feature, all under one tag of the API's description."""

    def __init__(
        self,
        tag: str,
        *,
        access: Sequence[Access] = PUBLIC,
        reason: type[BaseModel] | BaseModel | None = None,
    ) -> None:
        """`reason`: the body of actions that need nothing else; an instance is a default."""
        self._tag = tag
        self._access = access
        self._reason = reason
        self._operations: list[_Operation] = []

    def get(self, path: str, **facts: Any) -> Callable[[Function], Function]:
        """Declare an operation that reads; see `add`."""
        return self.add("GET", path, **facts)

    def post(self, path: str, **facts: Any) -> Callable[[Function], Function]:
        """Declare an operation that does something; see `add`."""
        return self.add("POST", path, **facts)

    def put(self, path: str, **facts: Any) -> Callable[[Function], Function]:
        """Declare an operation that replaces something; see `add`."""
        return self.add("PUT", path, **facts)

    def patch(self, path: str, **facts: Any) -> Callable[[Function], Function]:
        """Declare an operation that changes parts of something; see `add`."""
        return self.add("PATCH", path, **facts)

    def add(
        self,
        method: Method,
        path: str,
        *,
        reply: str | Reply | Mapping[int, Reply],
        status: int | Callable[[Any], int] = 200,
        access: Sequence[Access] | None = None,
        problems: Sequence[str] = (),
        body: Body | None = None,
        headers: type[BaseModel] | None = None,
        tag: str | None = None,
        admit: Admit | None = None,
        largest: int = LARGEST_BODY,
        head: bool = True,
        deprecated: Deprecated | None = None,
    ) -> Callable[[Function], Function]:
        """Declare an operation.

        `reply` describes the reply of this status, whose model is the function's return type; or
        it is the reply; or the replies by status, of which `status` chooses by the result. `body`
        and `headers` describe what the function reads itself. `admit` looks at the caller before a
        body is read, which has `largest` bytes at most.
        """

        def declare(function: Function) -> Function:
            hints = get_type_hints(function, include_extras=True)
            replies = reply
            if isinstance(replies, str):
                replies = json_reply(replies, hints["return"])
            if isinstance(replies, Reply):
                if callable(status):
                    raise TypeError(f"{method} {path}: name the replies by status")
                replies = {status: replies}
            needs = _Needs.of(function, path)
            if needs.action and needs.body is None and body is None:
                needs = needs.with_reason(self._reason)
            summary, _, description = (inspect.getdoc(function) or "").partition("\n")
            endpoint = Endpoint(
                method,
                path,
                _not_bound,
                summary=summary.removesuffix("."),
                description=" ".join(description.split()),
                tag=tag or self._tag,
                replies=replies,
                path_model=_path_model(f"{method} {path}", hints),
                query_model=needs.query,
                header_model=headers or needs.headers,
                body=body or needs.described_body(),
                problems=(*problems, "reason_required") if needs.action else problems,
                access=access or self._access,
                head=head,
                deprecated=deprecated,
            )
            operation = _Operation(endpoint, function, needs, admit, largest, status)
            self._operations.append(operation)
            return function

        return declare

    @property
    def declared(self) -> list[Endpoint]:
        """The operations as endpoints that have no handler yet."""
        return [operation.endpoint for operation in self._operations]

    def endpoints(self, gate: Gate, *services: object) -> list[Endpoint]:
        """Return the operations as endpoints, bound to the services that they need."""
        return [operation.bound(gate, services) for operation in self._operations]


async def _not_bound(_: web.Request) -> web.StreamResponse:
    raise NotImplementedError("this operation was declared and not bound")


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a function's parameters ask for; `services` and `path` by name."""

    names: frozenset[str]
    query: type[BaseModel] | None
    headers: type[BaseModel] | None
    body: type[BaseModel] | None
    default: BaseModel | None
    body_required: bool
    path: Mapping[str, Callable[[str], object]]
    checks: Sequence[Callable[[Any], None]]
    services: Mapping[str, type]

    @property
    def action(self) -> bool:
        """Whether an administrator's action is done."""
        return "action" in self.names

    @classmethod
    def of(cls, function: Callable[..., Any], path: str) -> _Needs:
        """Read a function's signature."""
        hints = get_type_hints(function, include_extras=True)
        hints.pop("return", None)
        own = {"request", "request_id", "address", "caller", "query", "headers", "body", "action"}
        in_path = set(_NAMES.findall(path)) & hints.keys()
        model = hints.get("body")
        parameter = inspect.signature(function).parameters.get("body")
        given: Any = parameter.default if parameter is not None else inspect.Parameter.empty
        optional = given is not inspect.Parameter.empty
        return cls(
            names=frozenset(hints),
            query=hints.get("query"),
            headers=hints.get("headers"),
            body=get_args(model)[0] if NoneType in get_args(model) else model,
            default=given if optional else None,
            body_required=not optional,
            path={name: path_reader(hints[name]) for name in in_path},
            checks=[each for each in _extras(hints.get("caller")) if callable(each)],
            services={
                name: hint
                for name, hint in hints.items()
                if name not in own and name not in in_path
            },
        )

    def with_reason(self, reason: type[BaseModel] | BaseModel | None) -> _Needs:
        """Return the needs of an action whose body says no more than why it is done."""
        if isinstance(reason, BaseModel):
            return replace(self, body=type(reason), default=reason, body_required=False)
        return replace(self, body=reason)

    def described_body(self) -> Body | None:
        """Return what describes the body."""
        return None if self.body is None else Body(self.body, required=self.body_required)


def _extras(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def path_reader(hint: Any) -> Callable[[str], object]:
    """Return what reads a parameter in a path, by its annotation."""
    for each in _extras(hint):
        if isinstance(each, PathText):
            return each.read
    raise ValueError(f"{hint} is in a path and lacks a PathText")


def _path_model(operation: str, hints: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the model that describes the parameters in an operation's path."""
    fields: dict[str, Any] = {name: (hints[name], ...) for name in _NAMES.findall(operation)}
    return create_model(operation, **fields) if fields else None


@dataclass(frozen=True, slots=True)
class _Operation:
    endpoint: Endpoint
    function: Callable[..., Awaitable[Any]]
    needs: _Needs
    admit: Admit | None
    largest: int
    status: int | Callable[[Any], int]

    def bound(self, gate: Gate, services: Sequence[object]) -> Endpoint:
        """Return the endpoint with a handler that has the services."""
        call = _Call(self, gate, self._found(self.needs, services), None)
        if self.admit is not None:
            needs = _Needs.of(self.admit, self.endpoint.path)
            call = _Call(self, gate, call.services, (needs, self._found(needs, services)))
        return self.endpoint.handled_by(cast(Handle, call))

    def _found(self, needs: _Needs, services: Sequence[object]) -> dict[str, object]:
        return {name: self._service(kind, services) for name, kind in needs.services.items()}

    def _service(self, kind: type, services: Sequence[object]) -> object:
        for service in services:
            if isinstance(service, kind):
                return service
        raise ValueError(f"{self.endpoint.method} {self.endpoint.path}: no {kind.__name__}")


@dataclass(frozen=True, slots=True)
class _Call:
    """Handles the requests of an operation: who asks, what is asked, then the body."""

    operation: _Operation
    gate: Gate
    services: Mapping[str, object]
    admit: tuple[_Needs, Mapping[str, object]] | None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Identify and check the caller, read the parameters, then the body; call the function."""
        needs = self.operation.needs
        given: dict[str, Any] = {"request": request, "request_id": request_id_of(request)}
        await self._identify(request, given)
        if needs.query is not None:
            given["query"] = query_of(request, needs.query)
        if needs.headers is not None:
            given["headers"] = headers_of(request, needs.headers)
        for name, read in needs.path.items():
            given[name] = read(request.match_info[name])
        if "address" in needs.names:
            given["address"] = self.gate.address(request)
        if needs.body is not None:
            given["body"] = await self._body(request, needs.body, given)
        if needs.action:
            why = getattr(given.get("body") or given.get("query"), "why", None) or ""
            given["action"] = self.gate.action(given["caller"], why, given["request_id"])
        found = {name: given[name] for name in needs.names - self.services.keys()}
        result = await self.operation.function(**found, **self.services)
        if isinstance(result, web.StreamResponse):
            return result
        if isinstance(result, Representation):
            return send(request, result)
        status = self.operation.status
        return json_response(result, status if isinstance(status, int) else status(result))

    async def _identify(self, request: web.Request, given: dict[str, Any]) -> None:
        needs, access = self.operation.needs, self.operation.endpoint.access
        if "caller" not in needs.names and Access.PUBLIC in access:
            return
        caller = given["caller"] = await self.gate.of(request)
        if tuple(access) == ADMIN:
            self.gate.require_administrator(caller)
        for check in needs.checks:
            check(caller)

    async def _body(
        self, request: web.Request, model: type[BaseModel], given: Mapping[str, Any]
    ) -> BaseModel | None:
        if not self.operation.needs.body_required and not request.body_exists:
            return self.operation.needs.default
        largest = None
        if self.admit is not None and self.operation.admit is not None:
            needs, services = self.admit
            found = {name: given[name] for name in needs.names - services.keys()}
            largest = await self.operation.admit(**found, **services)
        return await body_of(request, model, largest=largest or self.operation.largest)
