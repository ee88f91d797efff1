"""Hostile uploads: each is a 4xx that names the problem, never a 500, and costs little."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import orjson
import pytest
import pytest_asyncio

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, fresh_gateway, records, running_gateway
from tests.conftest import Servers
from tests.patience import HANG_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")
with_own_gateway = pytest.mark.asyncio(loop_scope="function")
_MIB = 1 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(servers: Servers) -> AsyncIterator[Gateway]:
    async with fresh_gateway(servers) as gateway:
        yield gateway


RECORDS = records()
FILE = orjson.dumps(RECORDS)


def with_first(**changes: Any) -> bytes:
    return orjson.dumps([{**RECORDS[0], **changes}, *RECORDS[1:]])


def with_text(old: bytes, new: bytes) -> bytes:
    changed = FILE.replace(old, new, 1)
    assert changed != FILE
    return changed


def zeros(size: int) -> bytes:
    """A gzip bomb."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        for _ in range(size // _MIB):
            packed.write(bytes(_MIB))
    return buffer.getvalue()


PREDICTION = b'"prediction":"0.0-1.0 seconds: cut"'
HOSTILE: dict[str, tuple[bytes | Callable[[], bytes], str | None]] = {
    "empty": (b"", "empty_file"),
    "no json": (b"hello", "wrong_shape"),
    "cut off": (FILE[:-20], "invalid_json"),
    "trailing data": (FILE + b"[]", "trailing_data"),
    "not an array": (b'"text"', "wrong_shape"),
    "a number of records": (b"[1, 2, 3]", "not_an_object"),
    "too few": (orjson.dumps(RECORDS[:50]), "too_few_records"),
    "depth bomb": (b"[" * 200_000 + b"]" * 200_000, "nested_too_deep"),
    "object depth bomb": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested_too_deep"),
    "depth bomb in a field": (
        with_text(PREDICTION, PREDICTION + b',"x":' + b"[" * 5000 + b"]" * 5000),
        "nested_too_deep",
    ),
    "gzip bomb": (partial(zeros, 200 * _MIB), "file_too_large"),
    "damaged gzip": (gzip.compress(FILE)[:-30], "bad_gzip"),
    "gzip and more": (gzip.compress(FILE) + b"more", "bad_gzip"),
    "NaN": (with_text(PREDICTION, b'"prediction":NaN'), "non_finite_number"),
    "infinity in a spare field": (with_text(PREDICTION, PREDICTION + b',"x":-Infinity'), None),
    "huge float": (with_text(PREDICTION, PREDICTION + b',"x":1e999'), "number_out_of_range"),
    "5,000 digits": (with_text(PREDICTION, b'"prediction":' + b"7" * 5000), None),
    "duplicate key": (with_text(PREDICTION, PREDICTION + b"," + PREDICTION), "duplicate_key"),
    "lone surrogate": (
        with_text(PREDICTION, b'"prediction":"\\ud800"'),
        "lone_surrogate",
    ),
    "bad utf-8": (with_text(PREDICTION, b'"prediction":"\xff"'), "invalid_utf8"),
    "NUL in an id": (with_first(id="a\0b"), "nul_character"),
    "a list as prediction": (with_first(prediction=["x"]), "wrong_type"),
    "a long prediction": (with_first(prediction="x" * 70_000), "field_too_long"),
    "unknown qa_type": (with_first(qa_type="<script>"), "unknown_qa_type"),
    "surplus": (orjson.dumps([*RECORDS, *RECORDS]), "surplus_record"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_file_is_a_422_that_names_it(gateway: Gateway, name: str) -> None:
    file, code = HOSTILE[name]
    status, problem = await gateway.submit(file() if callable(file) else file)
    assert status == 422, problem
    assert problem["code"] == "invalid_submission"
    codes = {error["code"] for error in problem["errors"]}
    if code is not None:
        assert code in codes
    assert all(error["path"].startswith("$") for error in problem["errors"])


async def test_a_nul_inside_a_prediction_is_accepted(gateway: Gateway) -> None:
    status, receipt = await gateway.submit(with_first(prediction="a\0b"))
    assert status == 202
    assert (await gateway.status(receipt["id"], receipt["owner_token"]))["report"]["ok"]


FIELDS = {
    "NUL": ({"model_name": "a\0b"}, "nul_character"),
    "right-to-left override": ({"model_name": "a\u202eb"}, "forbidden_character"),
    "line break": ({"organization": "a\nb"}, "forbidden_character"),
    "blank": ({"model_name": "   "}, "empty_field"),
    "long": ({"model_name": "x" * 101}, "field_too_long"),
    "very long": ({"authors": "x" * 20_000}, "field_too_long"),
    "javascript:": ({"model_url": "javascript:alert(1)"}, "invalid_url"),
    "data:": ({"model_url": "data:text/html,x"}, "invalid_url"),
    "no host": ({"model_url": "https://"}, "invalid_url"),
    "credentials": ({"model_url": "https://user:pw@example.org"}, "invalid_url"),
    "unknown": ({"admin": "1"}, "unknown_field"),
}


@pytest.mark.parametrize("name", FIELDS)
async def test_a_hostile_field_is_a_422_that_names_it(gateway: Gateway, name: str) -> None:
    fields, code = FIELDS[name]
    status, problem = await gateway.submit(FILE, headers=None, **fields)
    assert status == 422, problem
    assert [error["code"] for error in problem["errors"]] == [code]
    assert problem["errors"][0]["location"] == "form"
    assert problem["errors"][0]["path"] == f"$.{next(iter(fields))}"


def form(*parts: tuple[str, bytes], end: bytes = b"--B--\r\n") -> bytes:
    return (
        b"".join(
            b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            % (name.encode(), data)
            for name, data in parts
        )
        + end
    )


NAMED = (("model_name", b"m"), ("organization", b"o"))
FORM = "multipart/form-data; boundary=B"
BODIES = {
    "json": ("application/json", b"{}", 415, "unsupported_media_type"),
    "no type": ("", b"{}", 415, "unsupported_media_type"),
    "mixed": ("multipart/mixed; boundary=B", form(*NAMED), 415, "unsupported_media_type"),
    "no boundary": ("multipart/form-data", form(*NAMED), 400, "malformed_multipart"),
    "other boundary": ("multipart/form-data; boundary=C", form(), 400, "malformed_multipart"),
    "empty": (FORM, b"", 400, "malformed_multipart"),
    "noise": (FORM, bytes(range(256)) * 50, 400, "malformed_multipart"),
    "no end": (FORM, form(*NAMED, end=b""), 400, "malformed_multipart"),
    "no file": (FORM, form(*NAMED), 422, "invalid_submission"),
    "nothing": (FORM, form(), 422, "invalid_submission"),
    "file twice": (FORM, form(*NAMED, ("file", FILE), ("file", FILE)), 422, "invalid_submission"),
    "name twice": (FORM, form(*NAMED, ("file", FILE), NAMED[0]), 422, "invalid_submission"),
    "bad utf-8": (
        FORM,
        form(("model_name", b"\xff"), NAMED[1], ("file", FILE)),
        422,
        "invalid_submission",
    ),
    "many parts": (FORM, form(*[("team", b"")] * 65), 413, "too_large"),
    "long part header": (FORM, b"--B\r\nX: " + b"y" * 9000, 413, "too_large"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_broken_body_is_named(gateway: Gateway, name: str) -> None:
    content_type, body, status, code = BODIES[name]
    headers = {"Content-Type": content_type}
    async with gateway.client.post("/api/v1/submissions", data=body, headers=headers) as response:
        problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["code"]) == (status, code)
    assert problem["fix"]


async def test_a_compressed_body_is_refused(gateway: Gateway) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    body = gzip.compress(form(*NAMED, ("file", FILE)))
    async with gateway.client.post("/api/v1/submissions", data=body, headers=headers) as response:
        assert response.status == 415


async def raw(gateway: Gateway, *pieces: bytes) -> bytes:
    """Send bytes as they are and return the answer, until the server closes."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(HANG_SECONDS):
            return await reader.read()
    finally:
        writer.close()


HEAD = b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: " + FORM.encode() + b"\r\n"


async def test_an_announced_giant_is_refused_before_it_is_read(gateway: Gateway) -> None:
    answer = await raw(gateway, HEAD + b"Connection: close\r\nContent-Length: 999999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"upload_too_large" in answer


@with_own_gateway
async def test_an_unannounced_giant_is_stopped_at_the_limit(database: Database) -> None:
    limits = {"upload_bytes": 2 * _MIB, "address_bytes_per_day": 4 * _MIB}
    async with running_gateway(database, **limits) as gateway:
        # What no quota allows is no matter of quotas.
        announced = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (100 * _MIB)
        assert b"upload_too_large" in await raw(gateway, announced)
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        start = form(("model_name", b"m"), end=b"--B\r\nContent-Disposition: form-data; name=file")
        first = start + b"\r\n\r\n"
        opening = b"%x\r\n%s\r\n" % (len(first), first)
        answer = await raw(
            gateway,
            HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + opening,
            chunk * 40,
        )
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"upload_too_large" in answer


@with_own_gateway
async def test_a_slow_body_is_given_up(database: Database) -> None:
    async with running_gateway(database, upload_idle_seconds=0.2) as gateway:
        answer = await raw(gateway, HEAD + b"Content-Length: 1000\r\n\r\n--B\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"upload_too_slow" in answer
        assert b"Connection: close" in answer


@with_own_gateway
async def test_a_trickle_is_given_up_too(database: Database) -> None:
    async with running_gateway(database, upload_seconds=0.3, upload_idle_seconds=5) as gateway:
        answer = await raw(gateway, HEAD + b"Content-Length: 1000\r\n\r\n--B\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 no http at all\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_a_400_too(gateway: Gateway, request_bytes: bytes) -> None:
    answer = await raw(gateway, request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"aiohttp" not in head
    assert orjson.loads(body)["code"] == "bad_request"


@with_own_gateway
async def test_too_many_uploads_at_once_have_to_wait(database: Database) -> None:
    async with running_gateway(database, upload_concurrency=1, upload_idle_seconds=30) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        status, problem = 202, {"code": ""}
        async with asyncio.timeout(HANG_SECONDS):
            while status == 202:  # until the upload that stalls is the one that is let in
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(HEAD + b"Content-Length: 1000\r\n\r\n--B\r\n")
                await writer.drain()
                status, problem = await gateway.submit(FILE)
                writer.close()
        assert (status, problem["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/api/v1/submissions", 405),
        ("PUT", "/api/v1/submissions", 405),
        ("POST", "/api/v1/leaderboards/official", 405),
        ("DELETE", "/", 405),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/leaderboards/%2e%2e%2fetc", 404),
        ("GET", "/static/..%2fbootstrap.py", 404),
        ("GET", "/static/board.html", 404),
        ("PATCH", "/community", 405),
    ],
)
async def test_wrong_addresses_and_methods(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    async with gateway.client.request(method, path) as response:
        body = await response.read()
    assert response.status == status
    if path.startswith("/api/"):
        problem = orjson.loads(body)
        assert response.headers["Content-Type"].startswith("application/problem+json")
        assert problem["status"] == status
        assert problem["request_id"] == response.headers["X-Request-ID"]
    else:
        assert response.headers["Content-Type"].startswith("text/html")
    if status == 405:
        assert response.headers["Allow"]


async def test_request_ids_come_back_only_when_they_are_sound(gateway: Gateway) -> None:
    _, headers, _ = await gateway.get("/healthz", X_Request_ID="mine-1.2_3")
    assert headers["X-Request-ID"] == "mine-1.2_3"
    for bad in ("a b", "x" * 65, "<script>", "é"):
        _, headers, _ = await gateway.get("/healthz", X_Request_ID=bad)
        assert headers["X-Request-ID"] != bad
    ids = {(await gateway.get("/healthz"))[1]["X-Request-ID"] for _ in range(5)}
    assert len(ids) == 5
