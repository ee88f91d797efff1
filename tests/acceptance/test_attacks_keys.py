"""Attacks on who may do what: short keys, guessed keys, scopes that are gone around."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.gateway.accounts.guesses import SharedGuesses
from services.judge.store import announce_judge
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.fakes.grader import FakeGrader

ADMIN: Final = "the-administrators-own-and-long-key"
FILE: Final = orjson.dumps(records())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def ask(
    gateway: Gateway, path: str, secret: str, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    method = "GET" if body is None else "POST"
    async with gateway.client.request(
        method, f"/api/v1{path}", json=body, headers=bearer(secret)
    ) as response:
        return response.status, await response.json(content_type=None)


def guesses(outcome: str) -> float:
    return REGISTRY.get_sample_value("medvid_key_guesses_total", {"outcome": outcome}) or 0.0


# ------------------------------------------------------------------ the administrators' key
@pytest.mark.parametrize("short", ["short-key", "a" * 31])
async def test_a_short_key_administers_nothing_and_boards_are_served(
    database: Database, short: str
) -> None:
    with capture_logs() as lines:
        async with running_gateway(database, admin_key=short) as gateway:
            status, problem = await ask(gateway, "/admin/audit", short)
            assert (status, problem["code"]) == (403, "administration_off")
            assert "openssl rand -hex 32" in problem["fix"]
            async with gateway.client.post("/admin/sign-in", data={"key": short}) as answer:
                assert answer.status == 403
            _, _, page = await gateway.get("/admin")
            assert b"openssl rand -hex 32" in page
            for path in ("/", "/community", "/api/v1/leaderboards/community"):
                assert (await gateway.get(path))[0] == 200
            assert (await gateway.submit(FILE))[0] == 202
    (line,) = [line for line in lines if line["event"] == "administration_disabled"]
    assert line["log_level"] == "error"
    assert "openssl rand -hex 32" in line["fix"]
    assert short not in str(line)


async def test_a_key_of_32_characters_administers(database: Database) -> None:
    async with running_gateway(database, admin_key="k" * 32) as gateway:
        assert (await ask(gateway, "/admin/audit", "k" * 32))[0] == 200


@pytest.mark.parametrize("path", ["/admin/audit", "/quotas", "/submissions", "/keys"])
async def test_guesses_are_limited_wherever_they_are_sent(database: Database, path: str) -> None:
    wrong, refused = guesses("wrong"), guesses("refused")
    with capture_logs() as lines:
        async with running_gateway(
            database, admin_key=ADMIN, admin_guesses=3, trusted_proxies="127.0.0.1/32"
        ) as gateway:
            for n in range(3):
                assert (await ask(gateway, path, f"a-guess-{n}"))[0] != 429
            for secret in ("another-guess", ADMIN):
                status, problem = await ask(gateway, path, secret)
                assert (status, problem["code"]) == (429, "too_many_guesses")
            async with gateway.client.get(
                "/api/v1/quotas", headers={**bearer(ADMIN), "X-Forwarded-For": "192.0.2.9"}
            ) as answer:
                assert answer.status == 200, "another address does not wait"
            # Who sends no key, or an owner's token, is not concerned.
            _, receipt = await gateway.submit(FILE)
            found = await gateway.status(receipt["id"], receipt["owner_token"])
            assert found["file_sha256"]
    addresses = [line["address"] for line in lines if line["event"] == "key_is_wrong"]
    assert addresses == ["127.0.0.1"] * 3
    assert "a-guess" not in str(lines)
    assert (guesses("wrong") - wrong, guesses("refused") - refused) == (3, 2)


async def test_guesses_are_counted_over_all_gateways(database: Database) -> None:
    changes = {"load": False, "admin_key": ADMIN, "admin_guesses": 4}
    async with (
        running_gateway(database, **changes, trusted_proxies="127.0.0.1/32") as one,
        running_gateway(database, **changes, trusted_proxies="127.0.0.1/32") as other,
    ):
        for n in range(2):
            for gateway in (one, other):
                assert (await ask(gateway, "/quotas", f"mvk_guess-{n}"))[0] == 401
        for gateway in (one, other):
            for secret in ("another-guess", "mvk_another", ADMIN):
                status, problem = await ask(gateway, "/quotas", secret)
                assert (status, problem["code"]) == (429, "too_many_guesses")
            async with gateway.client.get(
                "/api/v1/quotas", headers={**bearer(ADMIN), "X-Forwarded-For": "192.0.2.9"}
            ) as answer:
                assert answer.status == 200
        # Whoever waits costs the table nothing; what is old is forgotten and holds nobody up.
        assert await database.pool.fetchval("SELECT count(*) FROM key_guesses") == 4
        await database.pool.execute("UPDATE key_guesses SET at = at - interval '301 seconds'")
        assert (await ask(one, "/quotas", ADMIN))[0] == 200
        await database.pool.execute("UPDATE key_guesses SET at = at - interval '1 hour'")
        await SharedGuesses(database).prune()
        assert await database.pool.fetchval("SELECT count(*) FROM key_guesses") == 0


async def test_a_crowd_of_guesses_at_once_gets_no_more_tries(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN, admin_guesses=3) as gateway:
        crowd = (ask(gateway, "/quotas", f"guess-{n}") for n in range(40))
        statuses = [status for status, _ in await asyncio.gather(*crowd)]
        assert (statuses.count(401), statuses.count(429)) == (3, 37)
        assert await database.pool.fetchval("SELECT count(*) FROM key_guesses") == 3


# ------------------------------------------------------------------ scopes
async def test_an_owner_token_may_do_no_more_than_the_key_it_came_with(
    database: Database,
) -> None:
    await announce_judge(database, FakeGrader().version, 1)
    async with running_gateway(database, admin_key=ADMIN, judge_estimate_seconds=0) as gateway:
        for scopes, status, code in (
            (["submit"], 403, "missing_scope"),
            (["submit", "judge"], 202, None),
        ):
            body = {"label": "x", "owner": "y", "scopes": scopes, "why": "a test"}
            _, key = await ask(gateway, "/keys", ADMIN, body)
            _, receipt = await gateway.submit(FILE, headers=bearer(key["key"]))
            await gateway.set_state(receipt["id"], "scored")
            path = f"/submissions/{receipt['id']}/judge"
            for secret in (receipt["owner_token"], key["key"]):
                found = await ask(gateway, path, secret, {})
                assert (found[0], found[1].get("code")) == (status, code)
                if status == 202:
                    break
            if status == 403:
                assert (await ask(gateway, path, ADMIN, {}))[0] == 202
        assert await database.pool.fetchval("SELECT count(*) FROM judge_runs") == 2


# ------------------------------------------------------------------ whom to tell
async def test_security_txt_is_there_where_a_contact_is_set(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        assert (await gateway.get("/.well-known/security.txt"))[0] == 404
    contact = "mailto:security@example.org, https://example.org/report"
    async with running_gateway(
        database, load=False, security_contact=contact, public_url="https://board.example.org/"
    ) as gateway:
        status, headers, body = await gateway.get("/.well-known/security.txt")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        lines = body.decode().splitlines()
        assert lines[:2] == [
            "Contact: mailto:security@example.org",
            "Contact: https://example.org/report",
        ]
        assert lines[2].startswith("Expires: 20")
        assert lines[3] == "Canonical: https://board.example.org/.well-known/security.txt"
