"""Attacks with what people type: scripts, paths, hidden and look-alike characters, addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.acceptance.gateway_harness import Gateway, fresh_gateway, records
from tests.conftest import Servers
from tests.patience import HANG_SECONDS
from tests.ranking import ranking, score

# ruff: noqa: RUF001 - characters that look alike are what is tested

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILE = orjson.dumps(records())
SCRIPT = "<script>alert(1)</script>"
FIELDS = ("model_name", "organization", "team", "authors", "contact", "track")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(servers: Servers) -> AsyncIterator[Gateway]:
    async with fresh_gateway(servers) as gateway, ranking(gateway.database, gateway.bus):
        yield gateway


async def on_the_board(gateway: Gateway, receipt: dict[str, Any]) -> dict[str, Any]:
    """Have it scored, and return its row once the gateway shows it."""
    entry_id = await score(gateway.database, receipt["id"], {"cvs_acc": 0.5})
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            _, _, body = await gateway.get("/api/v1/leaderboards/community")
            for entry in orjson.loads(body)["entries"]:
                if entry["entry_id"] == str(entry_id):
                    return dict(entry)
            await asyncio.sleep(0.02)


async def test_a_script_in_every_text_field_stays_text(gateway: Gateway) -> None:
    given = {name: f"{name} {SCRIPT}\"'>" for name in FIELDS}
    status, receipt = await gateway.submit(
        FILE, **given, model_url='https://example.org/?q="onmouseover=x'
    )
    assert status == 422  # a quote belongs in no address
    status, receipt = await gateway.submit(FILE, **given, model_url="https://example.org/?q=%22")
    assert status == 202
    entry = await on_the_board(gateway, receipt)
    assert entry["model_name"] == given["model_name"]
    owner = {"Authorization": f"Bearer {receipt['owner_token']}"}
    for path in (
        "/community",
        f"/boards/community/entries/{entry['entry_id']}",
        f"/submissions/{receipt['id']}",
        "/submit",
    ):
        status, headers, body = await gateway.get(path, **owner)
        assert status == 200, path
        assert b"<script>alert" not in body
        assert b"alert(1)</script>" not in body
        assert "script-src 'self'" in headers["Content-Security-Policy"]
    for path in ("/api/v1/leaderboards/community", f"/api/v1/submissions/{receipt['id']}"):
        _, headers, body = await gateway.get(path, **owner)
        assert headers["Content-Type"].startswith("application/json")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert given["contact"].encode() not in body


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..",
        "/etc/passwd",
        "a/b\\c",
        "C:\\con",
        "%2e%2e%2f",
        "file://x",
        "~root",
        "$(id)",
        "'; DROP TABLE submissions; --",
        "{{7*7}}",
        "${jndi:ldap://x}",
    ],
)
async def test_names_as_paths_and_code_are_names(gateway: Gateway, name: str) -> None:
    status, receipt = await gateway.submit(FILE, model_name=name)
    assert status == 202, receipt
    assert (await on_the_board(gateway, receipt))["model_name"] == name
    _, _, page = await gateway.get("/community")
    assert b"root:x:0" not in page
    assert await gateway.database.pool.fetchval("SELECT count(*) FROM submissions") > 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a\x00b", "nul_character"),
        ("a\nb", "forbidden_character"),
        ("a\x1bb", "forbidden_character"),
        ("a\x1fb", "forbidden_character"),
        ("a\u202eb", "forbidden_character"),  # right-to-left override
        ("a\u2066b", "forbidden_character"),
        ("a\u200bb", "forbidden_character"),  # zero-width space
        ("a\u200db", "forbidden_character"),
        ("a\ufeffb", "forbidden_character"),
        ("a\u00adb", "forbidden_character"),  # soft hyphen
        ("a\u2028b", "forbidden_character"),
        ("a\U000e0041b", "forbidden_character"),  # tag characters
        ("GРT-4", "lookalike_character"),
        ("ＧＰＴ", "lookalike_character"),
        ("   ", "empty_field"),
    ],
)
async def test_hidden_and_lookalike_characters_are_refused(
    gateway: Gateway, name: str, code: str
) -> None:
    status, problem = await gateway.submit(FILE, model_name=name)
    assert status == 422
    assert [(item["path"], item["code"]) for item in problem["errors"]] == [("$.model_name", code)]
    if code != "lookalike_character":  # what is hidden is told by its number, never repeated
        assert not any(
            character in str(problem) for character in name if not character.isprintable()
        )


async def test_the_same_name_in_other_bytes_is_taken(gateway: Gateway) -> None:
    assert (await gateway.submit(FILE, model_name="Médéric-7B"))[0] == 202
    for same in ("Me\u0301de\u0301ric-7B", "MÉDÉRIC-7b", "  Médéric-7B  "):
        assert (await gateway.submit(FILE, model_name=same))[1]["code"] == "model_name_taken"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "//example.org",
        "https:///x",
        "https://user:pass@example.org/",
        "https://example.org/\u202e",
        "https://example.org/<b>",
        "ftp://example.org/",
    ],
)
async def test_addresses_that_run_or_deceive_are_refused(gateway: Gateway, url: str) -> None:
    status, problem = await gateway.submit(FILE, model_url=url)
    assert status == 422
    assert {item["path"] for item in problem["errors"]} == {"$.model_url"}
