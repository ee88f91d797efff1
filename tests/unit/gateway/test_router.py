"""Operations declared by signature: what is described, and in which order a request is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import Field

from medvid.models.base import Answer, JsonBody
from services.gateway.web.endpoints import ADMIN, OWNERS, Access, json_reply, register
from services.gateway.web.middleware import boundary
from services.gateway.web.parameters import Parameters
from services.gateway.web.router import PathText, Router
from shared.runtime.errors import NotAllowed, NotFound


class Thing(Answer):
    name: str


class Size(Parameters):
    size: int = 1


class Rename(JsonBody):
    name: str


class Reason(JsonBody):
    why: str = "none"


def read_id(text: str) -> int:
    if not text.isdigit():
        raise NotFound("no such thing.", code="entry_not_found")
    return int(text)


ThingId = Annotated[int, Field(description="the thing's number"), PathText(read_id)]


class Things:
    def __init__(self) -> None:
        self.said: list[object] = []


class Gate:
    """Knows the callers 'owner' and 'admin' by their Authorization; counts who was looked up."""

    def __init__(self) -> None:
        self.identified = 0

    async def of(self, request: web.Request) -> str:
        self.identified += 1
        return request.headers.get("Authorization", "nobody")

    def require_administrator(self, caller: str) -> None:
        if caller != "admin":
            raise NotAllowed("administrators only.", code="administrator_required")

    def action(self, caller: str, why: str, request_id: str) -> tuple[str, str]:
        assert request_id
        return caller, why

    def address(self, _: web.Request) -> str:
        return "192.0.2.1"


router = Router("things", reason=Reason())


@router.get("/things/{id}", reply="The thing.", problems=("entry_not_found",))
async def read_thing(things: Things, id: ThingId, query: Size, address: str) -> Thing:  # noqa: A002
    """Read a thing.

    As often as you like, and from
    anywhere.
    """
    things.said.append((id, query.size, address))
    return Thing(name=str(id))


async def only_owners(things: Things, caller: str) -> None:
    things.said.append("admit")
    if caller != "owner":
        raise NotAllowed("owners only.", code="not_the_owner")


@router.post(
    "/things/{id}",
    reply={200: json_reply("Renamed.", Thing), 201: json_reply("New.", Thing)},
    status=lambda thing: 201 if thing.name == "new" else 200,
    access=OWNERS,
    admit=only_owners,
)
async def rename_thing(
    things: Things,
    id: ThingId,  # noqa: A002
    caller: str,
    body: Rename,
) -> Thing:
    """Rename a thing."""
    things.said.append((id, caller))
    return Thing(name=body.name)


@router.post("/things/{id}/drop", reply="The thing.", status=202, access=ADMIN)
async def drop_thing(id: ThingId, action: tuple[str, str]) -> Thing:  # noqa: A002
    """Drop a thing."""
    return Thing(name=f"{id} {action}")


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def client(things: Things, gate: Gate) -> AsyncIterator[TestClient[Any, Any]]:
    app = web.Application()
    register(app, router.endpoints(gate, things))
    around = app._handle  # noqa: SLF001 - as the server wraps it
    app._handle = boundary(around, str)  # type: ignore[method-assign] # noqa: SLF001
    async with TestClient(TestServer(app)) as client:
        yield client


async def ask(client: TestClient[Any, Any], method: str, path: str, **options: Any) -> Any:
    async with client.request(method, f"/api/v1{path}", **options) as response:
        body = await response.json(content_type=None)
        return response.status, body.get("code", body.get("name"))


def test_an_operation_describes_itself() -> None:
    read, rename, drop = router.declared
    assert (read.summary, read.description) == (
        "Read a thing", "As often as you like, and from anywhere.",
    )  # fmt: skip
    assert read.query_model is Size
    assert read.access == (Access.PUBLIC,)
    assert read.path_model is not None
    assert read.path_model.model_json_schema()["properties"]["id"]["description"]
    assert read.replies[200].content == {"application/json": Thing}
    assert rename.body is not None
    assert (rename.body.model, rename.body.required) == (Rename, True)
    assert drop.body is not None
    assert (drop.body.model, drop.body.required) == (Reason, False)
    assert list(drop.replies) == [202]
    assert "reason_required" in drop.problems


async def test_parameters_are_read_by_their_names(
    client: TestClient[Any, Any], things: Things, gate: Gate
) -> None:
    assert await ask(client, "GET", "/things/7?size=3") == (200, "7")
    assert things.said == [(7, 3, "192.0.2.1")]
    assert gate.identified == 0  # nobody has to say who they are
    assert await ask(client, "GET", "/things/x") == (404, "entry_not_found")
    assert await ask(client, "GET", "/things/7?size=x") == (400, "invalid_query")


async def test_a_caller_is_identified_once_and_before_anything_of_the_body_is_read(
    client: TestClient[Any, Any], things: Things, gate: Gate
) -> None:
    refused = await ask(client, "POST", "/things/7", data=b"no JSON at all")
    assert refused == (403, "not_the_owner")
    assert things.said == ["admit"]
    owner = {"Authorization": "owner"}
    assert (await ask(client, "POST", "/things/7", data=b"no JSON", headers=owner))[0] == 415
    done = await ask(client, "POST", "/things/7", json={"name": "new"}, headers=owner)
    assert done == (201, "new")
    assert (await ask(client, "POST", "/things/7", json={"name": "old"}, headers=owner))[0] == 200
    assert gate.identified == 4
    assert things.said[-1] == (7, "owner")


async def test_an_action_has_its_reason_and_is_for_administrators(
    client: TestClient[Any, Any], gate: Gate
) -> None:
    path = "/things/7/drop"
    refused = await ask(client, "POST", path, data=b"no JSON at all")
    assert refused == (403, "administrator_required")
    admin = {"Authorization": "admin"}
    assert await ask(client, "POST", path, headers=admin) == (202, "7 ('admin', 'none')")
    done = await ask(client, "POST", path, json={"why": "asked for"}, headers=admin)
    assert done == (202, "7 ('admin', 'asked for')")
    assert gate.identified == 3


def test_an_operation_without_its_service_keeps_the_gateway_from_starting(gate: Gate) -> None:
    with pytest.raises(ValueError, match=r"GET /things/\{id\}: no Things"):
        router.endpoints(gate)


def test_a_parameter_in_a_path_says_how_it_is_read() -> None:
    other = Router("things")
    with pytest.raises(ValueError, match="lacks a PathText"):

        @other.get("/things/{id}", reply="It.")
        async def read(id: int) -> Thing:  # noqa: A002
            """Read it."""
            return Thing(name=str(id))
