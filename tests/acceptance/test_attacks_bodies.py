"""Attacks with bodies, cookies and lengths: read as little as may be, and answered all the same."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import orjson
import pytest

from shared.storage.database import Database
from tests.acceptance.fuzzing import Answer, exchange
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.acceptance.test_attacks_values import ADMIN, port_of, signed_in

_CLOSE: Final = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
_KEY: Final = b"Authorization: Bearer " + ADMIN.encode()
_URL_ENCODED: Final = b"application/x-www-form-urlencoded"
_CHARSETS: Final = (
    b"foo", b"rot13", b"hex", b"zlib", b"idna", b"punycode", b"unicode_escape", b"utf-16",
    b"undefined", b'"\\ud800"', b"\xff",
)  # fmt: skip
_PARTS: Final = (
    b"Content-Disposition: form-data; name=csrf\r\nContent-Type: text/plain; charset=foo",
    b"Content-Disposition: form-data; name=csrf\r\nContent-Type: text/plain; charset=punycode",
    b"Content-Disposition: form-data; name=csrf\r\nContent-Transfer-Encoding: foo",
    b"Content-Disposition: form-data; name=csrf\r\nContent-Encoding: gzip",
    b"Content-Disposition: form-data; name=csrf; filename=a",
    b"Content-Disposition: form-data",
    b"X: y",
)
_BROKEN_BOUNDARY: Final = b"multipart/form-data; boundary*=unicode_escape''%5cud800"


async def post(
    gateway: Gateway, path: bytes, content_type: bytes, body: bytes, *fields: bytes
) -> Answer:
    head = [b"Content-Type: " + content_type, b"Content-Length: %d" % len(body), *fields]
    asked = b"POST " + path + _CLOSE + b"\r\n".join(head) + b"\r\n\r\n" + body
    return await exchange(port_of(gateway), asked)


async def announced(gateway: Gateway, path: bytes, length: int, *fields: bytes) -> Answer:
    """Announce a body and send nothing of it."""
    head = [b"Content-Length: %d" % length, *fields, b"", b""]
    return await exchange(port_of(gateway), b"POST " + path + _CLOSE + b"\r\n".join(head))


# ------------------------------------------------------------------ forms of administrators' pages
async def test_a_form_in_any_charset_is_answered(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        for path in (b"/admin/sign-in", b"/admin/sign-out"):
            for charset in _CHARSETS:
                content_type = _URL_ENCODED + b"; charset=" + charset
                answer = await post(gateway, path, content_type, b"key=\\ud800&csrf=%ff\\udfff")
                assert answer.status == 403, (path, charset)
            for part in _PARTS:
                form = b"--B\r\n" + part + b"\r\n\r\n\\ud800\xff!\r\n--B--\r\n"
                answer = await post(gateway, path, b"multipart/form-data; boundary=B", form)
                assert answer.status in (400, 403), (path, part)
            for content_type in (b"text/plain", b"\xff/\xff", _BROKEN_BOUNDARY):
                answer = await post(gateway, path, content_type, b"key=a")
                assert answer.status in (400, 415), (path, content_type)


async def test_a_form_holds_nobody_up(database: Database) -> None:
    """Half a megabyte of punycode was decoded for half a minute, and nobody served meanwhile."""
    body = b"a" * 250_000 + b"-" + b"a" * 250_000
    part = b"Content-Disposition: form-data; name=key\r\nContent-Type: text/plain; charset=punycode"
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        begun = time.process_time()  # the gateway's own: other programs take none of it
        answers = await asyncio.gather(
            post(gateway, b"/admin/sign-in", _URL_ENCODED + b"; charset=punycode", body),
            post(
                gateway,
                b"/admin/sign-in",
                b"multipart/form-data; boundary=B",
                b"--B\r\n" + part + b"\r\n\r\n" + body + b"\r\n--B--\r\n",
            ),
            exchange(port_of(gateway), b"GET /healthz" + _CLOSE + b"\r\n"),
        )
        assert [answer.status for answer in answers] == [413, 413, 200]
        assert time.process_time() - begun < 3


async def test_a_form_of_a_stranger_is_short(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        sent = b"Content-Type: " + _URL_ENCODED
        assert (await announced(gateway, b"/admin/sign-in", 20_000, sent)).status == 413
        cookie = b"Cookie: " + await signed_in(port_of(gateway))
        form = b"csrf=" + b"a" * 20_000
        answer = await post(gateway, b"/admin/boards", _URL_ENCODED, form, cookie)
        assert answer.status == 403


@pytest.mark.parametrize("path", [b"/admin", b"/admin/audit", b"/admin/boards/export"])
async def test_a_cookie_that_is_no_text(database: Database, path: bytes) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        for value in (b"\xff", b"\xed\xa0\x80"):
            for name in (b"medvid-admin", b"medvid-before"):
                asked = b"GET " + path + _CLOSE + b"Cookie: " + name + b"=" + value + b"\r\n\r\n"
                assert (await exchange(port_of(gateway), asked)).status in (200, 401)
            fields = b"Cookie: medvid-before=" + value
            answer = await post(gateway, b"/admin/sign-in", _URL_ENCODED, b"csrf=a&key=b", fields)
            assert answer.status == 403


# ------------------------------------------------------------------ types and lengths
async def test_types_and_lengths_beyond_all_bounds(database: Database) -> None:
    form = b"Content-Type: multipart/form-data; boundary=B"
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        for path in (b"/api/v1/submissions", b"/api/v1/validate", b"/submit", b"/submit/check"):
            for length in (2**63 - 1, 2**63, 2**64 - 1):
                assert (await announced(gateway, path, length, form)).status == 413
                assert (await announced(gateway, path, length, form, _KEY)).status == 413
            answer = await post(gateway, path, _BROKEN_BOUNDARY, b"--a\r\n")
            assert answer.status in (400, 415), path
        for path in (b"/api/v1/keys", b"/api/v1/admin/ground-truths?why=a"):
            assert (await post(gateway, path, _BROKEN_BOUNDARY, b"{}", _KEY)).status == 415


async def test_an_expectation_that_is_no_text(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        for path in (b"/about", b"/api/v1/status", b"/nothing"):
            for value in (b"\xff", b"wonders", b"100-continue, \xed\xa0\x80", b""):
                asked = b"GET " + path + _CLOSE + b"Expect: " + value + b"\r\n\r\n"
                answer = await exchange(port_of(gateway), asked)
                assert answer.status == 417, (path, value)


# ------------------------------------------------------------------ what is looked for
@pytest.mark.parametrize(
    "query",
    [
        "entries?model_name=a%00",
        "dead-letters?queue=%00",
        "dead-letters?reason=%00",
        "audit?who=%00",
        "audit?action=%00",
        "audit?subject_kind=%00",
        "audit?subject=%00",
        "audit?since=9999-12-31T23:59:59-23:59",
        "audit?until=0001-01-01T00:00:00%2B23:59",
    ],
)
async def test_what_cannot_be_stored_is_not_looked_for(database: Database, query: str) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        status, _, body = await gateway.get(f"/api/v1/admin/{query}", Authorization=_bearer())
        assert (status, orjson.loads(body)["code"]) == (400, "invalid_query")
        cookie = (await signed_in(port_of(gateway))).decode()
        assert (await gateway.get(f"/admin/{query}", Cookie=cookie))[0] < 500


async def test_letters_with_impossible_numbers(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        for name in (b"replay", b"discard"):
            path = b"/api/v1/admin/dead-letters/" + name
            for number in (b"-1", b"9223372036854775808"):
                body = b'{"why":"a test","ids":[' + number + b"]}"
                answer = await post(gateway, path, b"application/json", body, _KEY)
                assert answer.status == 422


# ------------------------------------------------------------------ rights before bodies
async def test_rights_are_looked_at_before_a_body_is_read(database: Database) -> None:
    """Whoever may not do something is told so at once, without sending anything."""
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        _, receipt = await gateway.submit(orjson.dumps(records()))
        unknown = b"00000000-0000-0000-0000-000000000000"
        submission = receipt["id"].encode()
        json = b"Content-Type: application/json"
        for path, status in (
            (b"/api/v1/keys", 403),
            (b"/api/v1/keys/" + unknown + b"/revoke", 401),
            (b"/api/v1/submissions/" + submission + b"/withdraw", 401),
            (b"/api/v1/submissions/" + unknown + b"/withdraw", 404),
        ):
            answer = await announced(gateway, path, 60_000, json)
            assert answer.status == status, path


async def test_a_request_for_a_key_is_short(database: Database) -> None:
    async with running_gateway(database, load=False, registration="open") as gateway:
        answer = await announced(
            gateway, b"/api/v1/keys", 10_000, b"Content-Type: application/json"
        )
        assert answer.status == 413
        body = orjson.dumps({"label": "a" * 100, "owner": "\u00e9" * 200, "why": "w" * 500})
        answer = await post(gateway, b"/api/v1/keys", b"application/json", body)
        assert answer.status == 201


def _bearer() -> str:
    return f"Bearer {ADMIN}"
