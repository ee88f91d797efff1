"""What is deprecated says so: in headers of every answer, in the description, and on the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import Field

from medvid.models.base import Answer
from services.gateway.pages.reference import Reference
from services.gateway.web.deprecation import Deprecated
from services.gateway.web.endpoints import JSON, json_reply, register
from services.gateway.web.middleware import boundary
from services.gateway.web.openapi import openapi_document
from services.gateway.web.parameters import Parameters
from services.gateway.web.representations import Representation, represent
from services.gateway.web.router import Router
from shared.runtime.errors import NotFound

OLD = Deprecated(date(2026, 1, 1), "use `size`.", sunset=date(2026, 9, 1))
GONE = Deprecated(date(2026, 2, 1), "read /things.")


class Thing(Answer):
    name: str


class Size(Parameters):
    size: int = 1
    length: Annotated[int | None, OLD] = Field(None, description="how long")


router = Router("things")
READY = represent(b'{"name":"a"}', content_type=JSON, cache_control="no-cache", headers={})


@router.get("/things", reply=f"The things as {JSON}.")
async def read_things(query: Size) -> Thing:
    """Read things."""
    if query.size > 9:
        raise NotFound("no such thing.", code="entry_not_found")
    return Thing(name="a")


@router.get("/old-things", reply="The things.", deprecated=GONE)
async def read_old_things(query: Size) -> Thing:  # noqa: ARG001 - it is read
    """Read things as before."""
    return Thing(name="a")


@router.get("/ready-things", reply=json_reply("The things.", Thing))
async def read_ready_things(query: Size) -> Representation:  # noqa: ARG001 - it is read
    """Read things that are ready."""
    return READY


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    app = web.Application()
    register(app, router.endpoints(object()))  # type: ignore[arg-type] # nobody is asked who it is
    around = app._handle  # noqa: SLF001 - as the server wraps it
    app._handle = boundary(around, str)  # type: ignore[method-assign] # noqa: SLF001
    async with TestClient(TestServer(app)) as client:
        yield client


async def said(client: TestClient[Any, Any], path: str) -> tuple[str | None, str | None, list[str]]:
    async with client.get(f"/api/v1{path}") as answer:
        headers = answer.headers
        return headers.get("Deprecation"), headers.get("Sunset"), headers.getall("Link", [])


async def test_an_answer_says_that_what_it_was_asked_with_is_deprecated(
    client: TestClient[Any, Any],
) -> None:
    deprecation = '</docs#changes>; rel="deprecation"; type="text/html"'
    sunset = '</docs#changes>; rel="sunset"; type="text/html"'
    end = "Tue, 01 Sep 2026 00:00:00 GMT"
    nothing = (None, None, [])
    assert await said(client, "/things") == nothing
    assert await said(client, "/things?size=2") == nothing
    with_end = ("@1767225600", end, [deprecation, sunset])
    assert await said(client, "/things?length=2") == with_end
    assert await said(client, "/things?length=2&size=10") == with_end  # not found
    assert await said(client, "/things?length=x") == with_end  # refused
    assert await said(client, "/old-things") == ("@1769904000", None, [deprecation])
    assert await said(client, "/old-things?length=2") == with_end  # the first of both dates
    # What is ready is sent to many: it says nothing to those who ask as they should.
    assert await said(client, "/ready-things?length=2") == with_end
    assert await said(client, "/ready-things") == nothing


def test_the_description_and_the_page_say_it() -> None:
    document = orjson.loads(orjson.dumps(openapi_document(router.declared)))
    now, before = (document["paths"][f"/api/v1/{name}"]["get"] for name in ("things", "old-things"))
    assert "deprecated" not in now
    size, length = now["parameters"]
    assert "deprecated" not in size
    assert length["deprecated"]
    assert length["description"] == (
        "how long; Deprecated since 2026-01-01, ends on 2026-09-01: use `size`."
    )
    assert before["deprecated"]
    assert before["description"].startswith("Deprecated since 2026-02-01: read /things.")
    (group,) = Reference.of(document, administration=False).groups
    shown = {operation.path: operation.deprecated for operation in group.operations}
    assert [path for path, deprecated in shown.items() if deprecated] == ["/api/v1/old-things"]


def test_nothing_ends_sooner_than_the_policy_says() -> None:
    with pytest.raises(ValueError, match="less than 180 days"):
        Deprecated(date(2026, 1, 1), "use `size`.", sunset=date(2026, 6, 1))
