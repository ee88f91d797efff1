"""Routes as data: what is declared is served, what is not declared is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from medvid.models.base import Answer
from medvid.models.problem_codes import PROBLEM_CODES
from services.gateway.app import application
from services.gateway.web.endpoints import Endpoint, json_reply
from services.gateway.web.parameters import Number, Parameters, query_of
from shared.runtime.errors import InvalidInput

_GATEWAY = Path(__file__).parents[3] / "services" / "gateway"


async def _handler(_: web.Request) -> web.Response:
    return web.Response()


def endpoint(method: Any = "GET", path: str = "/things/{id}", **changes: Any) -> Endpoint:
    facts: dict[str, Any] = {
        "summary": "Read a thing",
        "tag": "things",
        "replies": {200: json_reply("A thing.", Answer)},
    }
    return Endpoint(method, path, _handler, **(facts | changes))


def test_a_declared_endpoint_is_routed() -> None:
    app = application([endpoint(), endpoint("POST")], [web.get("/page", _handler)])
    found = {(route.method, route.resource.canonical) for route in app.router.routes()}  # type: ignore[union-attr]
    address = "/api/v1/things/{id}"
    assert found == {
        ("GET", address), ("HEAD", address), ("POST", address), ("OPTIONS", address),
        ("GET", "/page"), ("HEAD", "/page"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "route",
    [
        web.get("/api/v1/other", _handler),
        web.delete("/api/v1/things/{id:[^/]+}", _handler),
        web.get("/api/v1/things/{id}/{part}", _handler),
    ],
)
def test_an_undeclared_route_of_the_api_is_refused(route: web.RouteDef) -> None:
    with pytest.raises(ValueError, match="declare it"):
        application([endpoint()], [route])


def test_an_endpoint_names_only_known_problems() -> None:
    with pytest.raises(ValueError, match="no_such_code"):
        endpoint(problems=("no_such_code",))


def test_every_code_that_the_gateway_raises_is_in_the_table() -> None:
    raised = {
        code
        for file in _GATEWAY.rglob("*.py")
        for code in re.findall(r'\bcode(?:: \w+)? ?= ?"([a-z_0-9]+)"', file.read_text())
    }
    assert len(raised) > 20
    assert raised <= set(PROBLEM_CODES)


class Query(Parameters):
    size: Number = 5


@pytest.mark.parametrize("text", ["+1", "1_0", " 1", "1.0", "", "٣", "9" * 30])
def test_numbers_in_a_query_are_plain_digits(text: str) -> None:
    request = make_mocked_request("GET", "/")
    with pytest.raises(InvalidInput):
        query_of(request.clone(rel_url=request.rel_url.with_query(size=text)), Query)


@pytest.mark.parametrize(
    ("query", "told"), [("?sise=1", "'sise'"), ("?size=1&size=1", "twice"), ("?size=x", "'x'")]
)
def test_a_wrong_query_is_named(query: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        query_of(make_mocked_request("GET", f"/{query}"), Query)
    assert caught.value.error_code == "invalid_query"


def test_a_right_query_is_read() -> None:
    assert query_of(make_mocked_request("GET", "/?size=12"), Query).size == 12
    assert query_of(make_mocked_request("GET", "/"), Query).size == 5
