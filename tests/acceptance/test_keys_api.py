"""API keys over HTTP: who makes them, what they open, how they end."""

from __future__ import annotations

from typing import Any

import orjson

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, running_gateway

ADMIN = "the-administrators-own-and-long-key"
ROOT = {"Authorization": f"Bearer {ADMIN}"}
FILE = orjson.dumps(records())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def send(
    gateway: Gateway, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    async with gateway.client.request(
        method, f"/api/v1{path}", json=body, headers=headers
    ) as response:
        return response.status, await response.json(content_type=None)


async def make(gateway: Gateway, *scopes: str, **headers: str) -> dict[str, Any]:
    body = {"label": "CI", "owner": "Lab", "scopes": list(scopes)}
    status, made = await send(gateway, "POST", "/keys", body, **(headers or ROOT))
    assert status == 201, made
    return made


async def test_a_key_made_by_the_administrator_submits_and_owns(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN, anonymous_submissions=False) as gateway:
        status, problem = await gateway.submit(FILE)
        assert (status, problem["code"]) == (401, "key_required")
        made = await make(gateway, "submit")
        key = bearer(made["key"])
        status, me = await send(gateway, "GET", "/keys/me", **key)
        assert status == 200
        assert {name: value for name, value in made.items() if name != "key"} | {
            "last_used_at": me["last_used_at"]
        } == me
        status, receipt = await gateway.submit(FILE, headers=key)
        assert status == 202
        path = f"/submissions/{receipt['id']}"
        assert (await send(gateway, "GET", path, **key))[1]["report"]["ok"]  # without the token
        assert "report" in (await send(gateway, "GET", path, **ROOT))[1]
        stranger = bearer((await make(gateway, "submit", "judge"))["key"])
        assert "report" not in (await send(gateway, "GET", path, **stranger))[1]
        status, problem = await send(gateway, "POST", f"{path}/judge", **stranger)
        assert (status, problem["code"]) == (403, "not_the_owner")
        status, problem = await send(gateway, "POST", f"{path}/judge", **key)
        assert (status, problem["code"]) == (403, "missing_scope")
        stored = await gateway.database.pool.fetchval(
            "SELECT string_agg(k::text, '') FROM api_keys k"
        )
        assert made["key"] not in stored


async def test_a_revoked_key_opens_nothing(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        made = await make(gateway, "submit", "judge")
        other = await make(gateway, "submit")
        path = f"/keys/{made['id']}/revoke"
        assert (await send(gateway, "POST", path, **bearer(other["key"])))[0] == 403
        status, revoked = await send(gateway, "POST", path, **bearer(made["key"]))
        assert status == 200
        assert revoked["revoked_at"]
        for method, target in (("GET", "/keys/me"), ("POST", "/submissions")):
            status, problem = await send(gateway, method, target, **bearer(made["key"]))
            assert (status, problem["code"]) == (401, "revoked_key")
        status, problem = await send(gateway, "GET", "/keys/me", **bearer(made["key"] + "x"))
        assert (status, problem["code"]) == (401, "unknown_key")
        status, problem = await send(gateway, "POST", path, **ROOT)
        assert (status, problem["code"]) == (422, "reason_required")
        status, again = await send(gateway, "POST", path, {"why": "leaked"}, **ROOT)
        assert (status, again["revoked_at"]) == (200, revoked["revoked_at"])
        for unknown in ("x", str(made["id"])[:-1] + "0" if made["id"][-1] != "0" else "1"):
            status, problem = await send(
                gateway, "POST", f"/keys/{unknown}/revoke", {"why": "x"}, **ROOT
            )
            assert (status, problem["code"]) == (404, "key_not_found")


async def test_without_the_operators_key_administration_is_off(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        admin = bearer((await make(gateway, "admin"))["key"])
        assert (await send(gateway, "GET", "/keys", **admin))[0] == 200
    async with running_gateway(database, load=False) as gateway:
        for headers in (admin, ROOT, bearer("")):
            if headers["Authorization"] == "Bearer ":
                continue
            status, problem = await send(gateway, "GET", "/keys", **headers)
            assert (status, problem["code"]) == (403, "administration_off")
            assert "MEDVID_ADMIN_KEY" in problem["fix"]


async def test_registration_is_open_or_closed(database: Database) -> None:
    body = {"label": "mine", "owner": "me"}
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        status, problem = await send(gateway, "POST", "/keys", body)
        assert (status, problem["code"]) == (403, "registration_closed")
    async with running_gateway(
        database, load=False, admin_key=ADMIN, registration="open"
    ) as gateway:
        status, made = await send(gateway, "POST", "/keys", body)
        assert (status, made["scopes"]) == (201, ["judge", "submit"])
        assert made["created_by"] == "address:127.0.0.1"
        status, problem = await send(gateway, "POST", "/keys", {**body, "scopes": ["admin"]})
        assert (status, problem["code"]) == (403, "administrator_required")
        status, problem = await send(
            gateway, "POST", "/keys", {**body, "quotas": {"submissions_per_day": 9}}
        )
        assert (status, problem["code"]) == (401, "token_required")
        for _ in range(2):
            assert (await send(gateway, "POST", "/keys", body))[0] == 201
        async with gateway.client.post("/api/v1/keys", json=body) as response:
            problem = await response.json(content_type=None)
            assert (response.status, problem["code"]) == (429, "registration_quota")
            assert 86_000 < int(response.headers["Retry-After"]) <= 86_400
        forged = {"X-Forwarded-For": "203.0.113.7"}
        assert (await send(gateway, "POST", "/keys", body, **forged))[0] == 429


async def test_the_administrator_lists_pages_and_gives_quotas(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        made = [(await make(gateway, "submit"))["id"] for _ in range(5)]
        found: list[str] = []
        path = "/keys?limit=2"
        while path:
            status, page = await send(gateway, "GET", path, **ROOT)
            assert status == 200
            found += [key["id"] for key in page["keys"]]
            assert all("key" not in key for key in page["keys"])
            cursor = page["next_cursor"]
            path = f"/keys?limit=2&cursor={cursor}" if cursor else ""
        assert found == made[::-1]
        quotas = {"submissions_per_day": 7, "why": "a challenge"}
        status, key = await send(gateway, "PUT", f"/keys/{made[0]}/quotas", quotas, **ROOT)
        assert (status, key["quotas"]["submissions_per_day"]) == (200, 7)
        lines = await database.pool.fetch("SELECT * FROM audit_log ORDER BY id")
        assert [line["action"] for line in lines] == ["make_key"] * 5 + ["set_key_quotas"]
        assert (lines[-1]["who"], lines[-1]["why"]) == ("administrator", "a challenge")
        assert orjson.loads(lines[-1]["before"])["quotas"]["submissions_per_day"] is None
        assert orjson.loads(lines[-1]["after"])["quotas"]["submissions_per_day"] == 7


WRONG: list[tuple[object, str, str]] = [
    ({"owner": "x"}, "$.label", "missing_field"),
    ({"label": " ", "owner": "x"}, "$.label", "wrong_value"),
    ({"label": "a\u202eb", "owner": "x"}, "$.label", "wrong_value"),
    ({"label": "a\x00b", "owner": "x"}, "$.label", "wrong_value"),
    ({"label": "a", "owner": "x" * 201}, "$.owner", "wrong_value"),
    ({"label": "a", "owner": "b", "scopes": ["root"]}, "$.scopes[0]", "wrong_value"),
    ({"label": "a", "owner": "b", "scopes": []}, "$.scopes", "wrong_value"),
    ({"label": "a", "owner": "b", "scope": []}, "$.scope", "unknown_field"),
    (
        {"label": "a", "owner": "b", "quotas": {"bytes_per_day": -1}},
        "$.quotas",
        "wrong_value",
    ),
    ([], "$", "wrong_value"),
]


async def test_bodies_are_checked(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        for body, path, code in WRONG:
            status, problem = await send(gateway, "POST", "/keys", body, **ROOT)
            assert (status, problem["code"]) == (422, "invalid_body"), body
            found = problem["errors"][0]
            assert found["path"].startswith(path), body
            assert (found["location"], found["code"]) == ("body", code), body
