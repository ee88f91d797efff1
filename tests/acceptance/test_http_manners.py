"""What HTTP asks of every address: methods, negotiation, other origins, request ids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from uuid import uuid4

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, running_gateway

READS = ("/api/v1/leaderboards", "/api/v1/leaderboards/official", "/api/v1/openapi.json")


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database, load=False) as running:
        yield running


async def test_scripts_of_any_site_may_read(gateway: Gateway) -> None:
    for path in READS:
        await scripts_may_read(gateway, path)


async def scripts_may_read(gateway: Gateway, path: str) -> None:
    _, headers, _ = await gateway.get(path, Origin="https://elsewhere.example")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
    assert {"ETag", "Link", "X-Request-ID", "Retry-After"} <= exposed
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    async with gateway.client.options(path, headers=asked) as response:
        assert response.status == 204
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert "Authorization" not in response.headers["Access-Control-Allow-Headers"]


async def test_event_streams_have_the_headers_of_other_answers(gateway: Gateway) -> None:
    path = "/api/v1/leaderboards/official/events"
    headers = {"Origin": "https://e.example", "X-Request-ID": "followed"}
    async with gateway.client.get(path, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["X-Request-ID"] == "followed"
        assert response.headers["Server"] == "medvidbench"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_problems_of_reads_may_be_read_elsewhere_too(gateway: Gateway) -> None:
    for path in ("/api/v1/leaderboards/none", "/api/v1/none"):
        _, headers, _ = await gateway.get(path)
        assert headers["Access-Control-Allow-Origin"] == "*"


async def test_nobody_elsewhere_may_write(gateway: Gateway) -> None:
    path = "/api/v1/submissions"
    async with gateway.client.post(path, headers={"Origin": "https://e.example"}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    asked = {"Origin": "https://e.example", "Access-Control-Request-Method": "POST"}
    async with gateway.client.options(path, headers=asked) as response:
        assert "POST" in response.headers["Allow"]
        assert "POST" not in response.headers.get("Access-Control-Allow-Methods", "")


async def test_another_method_is_told_which_there_are(gateway: Gateway) -> None:
    paths = (*READS, f"/api/v1/submissions/{uuid4()}")
    for path, method in product(paths, ("DELETE", "PUT", "PATCH", "POST", "PROPFIND")):
        async with gateway.client.request(method, path) as response:
            allowed = {name.strip() for name in response.headers.get("Allow", "").split(",")}
            if method in allowed:
                continue
            assert response.status == 405
            assert {"GET", "HEAD", "OPTIONS"} <= allowed
            assert (await response.json(content_type=None))["code"] == "method_not_allowed"


ACCEPTED = {
    "application/json": 200,
    "*/*": 200,
    "application/*;q=0.1": 200,
    "text/html, */*;q=0.1": 200,
    "": 200,
    "image/png": 406,
    "application/json;q=0": 406,
    "text/html": 406,
}


async def test_what_nobody_can_be_given_is_refused(gateway: Gateway) -> None:
    for path, (accept, status) in product(READS, ACCEPTED.items()):
        found, headers, body = await gateway.get(path, Accept=accept)
        assert (path, accept, found) == (path, accept, status)
        if status == 406:
            assert headers["Content-Type"].startswith("application/problem+json")
            assert orjson.loads(body)["code"] == "not_acceptable"


async def test_a_body_of_another_type_is_refused(gateway: Gateway) -> None:
    async with gateway.client.post("/api/v1/submissions", data=b"{}") as response:
        assert response.status == 415
        assert (await response.json(content_type=None))["code"] == "unsupported_media_type"


async def test_a_query_where_none_is_read_is_refused(gateway: Gateway) -> None:
    status, _, body = await gateway.get("/api/v1/leaderboards?board=official")
    assert (status, orjson.loads(body)["code"]) == (400, "invalid_query")


async def test_a_request_keeps_its_id(gateway: Gateway) -> None:
    paths = ("/api/v1/leaderboards", "/api/v1/none", "/", "/none")
    for path, given in product(paths, ("abc-1", "a" * 64, "0.9_x")):
        _, headers, body = await gateway.get(path, X_Request_ID=given)
        assert headers["X-Request-ID"] == given
        if path == "/api/v1/none":
            assert orjson.loads(body)["request_id"] == given


async def test_an_odd_request_id_is_replaced(gateway: Gateway) -> None:
    for given in ("", "a" * 65, "two words", "<script>", "é"):
        _, headers, _ = await gateway.get("/api/v1/leaderboards", X_Request_ID=given)
        assert headers["X-Request-ID"] not in ("", given)


KEY = "the-administrators-key-of-this-test"
WRONG_BODIES = {
    b"": 422,
    b"{": 422,
    b"[]": 422,
    b"\xff": 422,
    b"null": 422,
    b'{"label": NaN}': 422,
    b"[" * 60_000: 422,
    b'{"label": 1, "owner": "lab", "scopes": ["submit"]}': 422,
    b'{"label": "CI", "owner": "lab", "scopes": ["submit"], "quotas":'
    b' {"submissions_per_day": true}}': 422,
    b'{"label": "CI", "owner": "lab", "scopes": ["submit"], "l\\u0000\\u202e": 1}': 422,
    b'{"label": "' + b"x" * 70_000 + b'"}': 413,
}


async def test_json_bodies_are_taken_strictly(database: Database) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    async with running_gateway(database, load=False, admin_key=KEY) as gateway:
        for body, status in WRONG_BODIES.items():
            async with gateway.client.post("/api/v1/keys", data=body, headers=headers) as response:
                problem = await response.json(content_type=None)
                assert (body[:40], response.status) == (body[:40], status)
                if status == 422:
                    assert problem["code"] == "invalid_body"
                    assert problem["error_count"] >= len(problem["errors"]) >= 1
                    assert {item["location"] for item in problem["errors"]} == {"body"}
                    assert all(item["path"].isprintable() for item in problem["errors"])
        good = b'{"label": "CI", "owner": "lab", "scopes": ["submit", "submit"]}'
        for kind, status in (("application/json; charset=utf-8", 201), ("text/plain", 415)):
            sent = headers | {"Content-Type": kind}
            async with gateway.client.post("/api/v1/keys", data=good, headers=sent) as response:
                assert response.status == status


async def test_lines_of_the_log_name_the_request(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=KEY) as gateway:
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            headers = {"Authorization": f"Bearer {KEY}", "X-Request-ID": "asked-so"}
            body = {"label": "CI", "owner": "lab", "scopes": ["submit"]}
            async with gateway.client.post("/api/v1/keys", json=body, headers=headers) as response:
                assert response.status == 201
    (line,) = [line for line in lines if line["event"] == "key_made"]
    assert line["request_id"] == "asked-so"
