"""Attacks on who may do what: guessing, replaying, enumerating, reading logs, acting for others."""

from __future__ import annotations

import ast
import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson

from services.gateway.accounts import credentials
from shared.storage.database import Database
from tests.acceptance.gateway_harness import (
    Gateway,
    gateway_process,
    owner,
    records,
    running_gateway,
    send,
)
from tests.patience import HANG_SECONDS

ADMIN = "the-administrators-own-and-long-key"
ROOT = {"Authorization": f"Bearer {ADMIN}"}
FILE = orjson.dumps(records())
GATEWAY = Path(credentials.__file__).parents[1]


async def make_key(gateway: Gateway, *scopes: str) -> dict[str, Any]:
    body = {"label": "x", "owner": "y", "scopes": list(scopes)}
    status, made = await send(gateway, "POST", "/keys", body, **ROOT)
    assert status == 201
    return made


# ---------------------------------------------------------------- secrets


def comparisons() -> Iterator[tuple[str, str]]:
    """Every comparison for equality in the gateway's code, with its file."""
    for file in GATEWAY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                for operator in node.ops:
                    if isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                        yield file.name, ast.unparse(node)


def test_secrets_are_never_compared_character_by_character() -> None:
    """What a guess is held against is compared by `hmac.compare_digest`, or looked up by hash."""
    suspicious = ("token", "secret", "admin_key", "signature", "password", "sha256")
    harmless = {
        # Not secrets: fingerprints of requests and files, and whether something was sent at all.
        "used.request_sha256 != key.request_sha256",
        "replicates_digest(found) != row['replicates_sha256']",
        # Both are of the configuration, as it was at a sign-in and as it is.
        "met == self._claims_sha256",
    }
    found = {
        (file, text)
        for file, text in comparisons()
        if any(word in text for word in suspicious) and text not in harmless
    }
    assert {each for each in found if "None" not in each[1]} == set()
    assert credentials.matches("mvb_x", credentials.sha256("mvb_x"))
    assert not credentials.matches("mvb_y", credentials.sha256("mvb_x"))


async def test_no_secret_is_logged_whatever_happens(
    database: Database, postgres_url: str, tmp_path: Path
) -> None:
    secrets = [ADMIN, "hook-password", "me@x.y", "mvk_wrong-but-still-secret"]
    log = tmp_path / "log"
    settings = {
        "ADMIN_KEY": ADMIN,
        "WEBHOOK_PRIVATE_NETWORKS": "true",
        "WEBHOOK_POLL_SECONDS": "0.02",
        "LOG_LEVEL": "debug",
    }
    async with gateway_process(database, postgres_url, log, settings) as (gateway, _):
        made = await make_key(gateway, "submit", "judge")
        key = {"Authorization": f"Bearer {made['key']}"}
        idempotency = str(uuid4())
        hook = "http://127.0.0.1:9/hook?pass=hook-password"
        _, receipt = await gateway.submit(
            FILE,
            headers={**key, "Idempotency-Key": idempotency},
            webhook_url=hook,
            contact="me@x.y",
        )
        secrets += [made["key"], idempotency, receipt["owner_token"], receipt["webhook_secret"]]
        await gateway.set_state(receipt["id"], "scored")
        path = f"/submissions/{receipt['id']}"
        for wrong in ("mvk_wrong-but-still-secret", receipt["owner_token"]):
            await send(gateway, "GET", "/keys", Authorization=f"Bearer {wrong}")
        for method, address in (("GET", ""), ("GET", "/webhook"), ("POST", "/judge")):
            await send(gateway, method, path + address, **owner(receipt))
        await send(gateway, "POST", f"{path}/withdraw", **owner(receipt))
        await send(gateway, "POST", f"/keys/{made['id']}/revoke", {"why": "leaked"}, **ROOT)
        await send(gateway, "GET", "/keys/me", **key)
        await database.pool.execute("ALTER TABLE api_keys RENAME TO gone")  # a failure of ours
        assert (await send(gateway, "GET", path, **key))[0] == 500
        await database.pool.execute("ALTER TABLE gone RENAME TO api_keys")
    await nothing_in_tables(database, [each for each in secrets if each != "me@x.y"])
    logged = await asyncio.to_thread(log.read_text, "utf-8")
    for event in ("submission_accepted", "key_made", "request_failed", "submission_withdrawn"):
        assert event in logged
    assert [secret for secret in secrets if secret in logged] == []


async def nothing_in_tables(database: Database, secrets: list[str]) -> None:
    for table in ("submissions", "api_keys", "idempotency_keys", "outbox", "submission_events"):
        rows = await database.pool.fetch(f"SELECT t::text AS line FROM {table} t")  # noqa: S608
        text = "\n".join(row["line"] for row in rows)
        assert [secret for secret in secrets if secret in text] == []


# ---------------------------------------------------------------- replay and enumeration


async def test_an_idempotency_key_gives_nobody_anothers_receipt(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        mine = {"Authorization": f"Bearer {(await make_key(gateway, 'submit'))['key']}"}
        other = {"Authorization": f"Bearer {(await make_key(gateway, 'submit'))['key']}"}
        replay = {"Idempotency-Key": "guessable"}
        status, receipt = await gateway.submit(FILE, headers={**mine, **replay}, model_name="m")
        assert status == 202
        thieves: list[tuple[dict[str, str], bytes, dict[str, str]]] = [
            ({**other, **replay}, FILE, {}),  # the same form with another key
            (replay, FILE, {}),  # without one
            ({**mine, **replay}, FILE + b" ", {}),  # another file
            ({**mine, **replay}, FILE, {"evaluate_only": "true"}),  # other options
            ({**mine, **replay}, FILE, {"webhook_url": "https://example.org/steal"}),
        ]
        for headers, file, fields in thieves:
            status, problem = await gateway.submit(file, headers=headers, model_name="m", **fields)
            assert (status, problem["code"]) == (422, "idempotency_key_reused")
            assert receipt["owner_token"] not in str(problem)
            assert receipt["id"] not in str(problem)


async def test_strangers_cannot_distinguish_ids(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        _, hidden = await gateway.submit(FILE, evaluate_only="true")
        _, other = await gateway.submit(FILE)
        cut = hidden["id"].upper()[:-1]
        ids = [hidden["id"], str(uuid4()), str(UUID(int=0)), "x", "%00", cut]
        for path, method in itertools.product(
            ("", "/events", "/verdicts", "/webhook", "/judge", "/withdraw"), ("GET", "POST")
        ):
            reads = path in ("", "/events", "/verdicts", "/webhook")
            if (method == "GET") is not reads:
                continue
            for headers in ({}, owner(other)):
                answers = set()
                for each in ids:
                    status, body = await send(
                        gateway, method, f"/submissions/{each}{path}", **headers
                    )
                    body.pop("request_id", None)
                    answers.add((status, orjson.dumps(body)))
                assert len(answers) == 1, (path, method)
                assert next(iter(answers))[0] == 404


# ---------------------------------------------------------------- acting for others


async def test_someone_elses_submission_is_out_of_reach(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        _, mine = await gateway.submit(FILE)
        await gateway.set_state(mine["id"], "scored")
        _, other = await gateway.submit(FILE)
        key = {"Authorization": f"Bearer {(await make_key(gateway, 'submit', 'judge'))['key']}"}
        wrong = {"Authorization": "Bearer mvb_" + "0" * 43}
        cases = [({}, 401), (owner(other), 401), (wrong, 401), (key, 403)]
        for headers, expected in cases:
            for method, path in (
                ("POST", "judge"),
                ("POST", "withdraw"),
                ("GET", "verdicts"),
                ("GET", "webhook"),
                ("POST", "webhook/redeliver"),
            ):
                status, _ = await send(
                    gateway, method, f"/submissions/{mine['id']}/{path}", **headers
                )
                assert status == expected, (path, headers)
            for path in ("judge/pause", "judge/resume"):
                status, _ = await send(
                    gateway, "POST", f"/submissions/{mine['id']}/{path}", **headers
                )
                assert status in (401, 403)
        assert await database.pool.fetchval("SELECT count(*) FROM judge_runs") == 0
        assert (await gateway.status(mine["id"]))["state"] == "scored"


async def test_an_owner_token_is_no_key_and_a_key_no_administrator(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN) as gateway:
        _, receipt = await gateway.submit(FILE)
        key = {"Authorization": f"Bearer {(await make_key(gateway, 'submit', 'judge'))['key']}"}
        near = [{"Authorization": f"Bearer {ADMIN[:-1]}"}, {"Authorization": f"Bearer {ADMIN}x"}]
        for headers in ({}, owner(receipt), key, *near):
            for method, path in (
                ("GET", "/keys"),
                ("GET", "/webhook-deliveries"),
                ("POST", "/keys"),
            ):
                body = (
                    {"label": "x", "owner": "y", "scopes": ["admin"]} if method == "POST" else None
                )
                status, _ = await send(gateway, method, path, body, **headers)
                assert status in (401, 403), (path, headers)
        assert await database.pool.fetchval("SELECT count(*) FROM api_keys") == 1


async def test_ground_truth_and_scores_inside_an_upload_count_for_nothing(
    database: Database,
) -> None:
    plain, stuffed = records(), records()
    for record in stuffed:
        record |= {
            "ground_truth": "0.0-1.0 seconds: cut",
            "answer": "the reference",
            "gnd": "x",
            "struc_info": [{"spans": [{"start": 0, "end": 1}]}],
            "score": 5,
            "llm_scores": {"R2": 5, "R4": 5, "R5": 5, "R7": 5, "R8": 5},
            "is_correct": True,
        }
    async with running_gateway(database) as gateway:
        reports = []
        for file in (plain, stuffed):
            form = {"file": orjson.dumps(file).decode()}
            async with gateway.client.post("/api/v1/validate", data=_multipart(form)) as response:
                answer = await response.json(content_type=None)
                assert response.status == 200
                reports.append(answer)
        assert reports[0] == reports[1]
        assert "the reference" not in str(reports)


def _multipart(fields: dict[str, str]) -> Any:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value)
    return form


async def test_an_oversized_json_body_is_refused(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        for size in (70_000, 900_000):
            body = {"label": "x" * size, "owner": "y"}
            status, problem = await send(gateway, "POST", "/keys", body, **ROOT)
            assert (status, problem["code"]) == (413, "too_large")


async def test_an_address_has_so_many_uploads_at_once(database: Database) -> None:
    head = (
        b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=B\r\nX-Forwarded-For: %s\r\n\r\n--B\r\n"
    )
    async with running_gateway(
        database, upload_concurrency_per_address=1, trusted_proxies="127.0.0.0/8"
    ) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        same = {"X-Forwarded-For": "203.0.113.1"}
        async with asyncio.timeout(HANG_SECONDS):
            while True:  # until the upload that stalls is the one that has the slot
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(head % b"203.0.113.1")
                await writer.drain()
                status, problem = await gateway.submit(FILE, headers=same)
                if status != 202:
                    break
                writer.close()
        try:
            assert (status, problem["code"]) == (429, "too_many_at_once")
            other = {"X-Forwarded-For": "203.0.113.2"}
            assert (await gateway.submit(FILE, headers=other))[0] == 202
        finally:
            writer.close()


# ---------------------------------------------------------------- what is not understood


def misunderstood(key: str, token: str) -> list[str]:
    """Credentials as they come from shells, workflows and clipboards."""
    return [
        f'"{key}"',
        f"'{token}'",
        key.removeprefix("mvk_"),
        token.removeprefix("mvb_"),
        "$MEDVID_API_KEY",
        "${{secrets.MEDVID_API_KEY}}",
        "mvb_" + "x" * 43,
        ADMIN[:-1],
        ADMIN.upper(),
    ]


async def test_a_credential_that_is_none_is_never_taken_for_nobodys(database: Database) -> None:
    """Where nobody needs one, a request with a broken one went on as anonymous: it looked accepted,
    used up the address's quota and belonged to no key."""
    async with running_gateway(database, admin_key=ADMIN, registration="open") as gateway:
        key = (await make_key(gateway, "submit"))["key"]
        _, hidden = await gateway.submit(FILE, evaluate_only="true")
        _, shown = await gateway.submit(FILE)
        before = await database.pool.fetchval("SELECT count(*) FROM quota_uses")
        body = {"label": "x", "owner": "y", "scopes": ["submit"]}
        answers = set()
        for secret in misunderstood(key, hidden["owner_token"]):
            headers = {"Authorization": f"Bearer {secret}"}
            for method, path, sent in (
                ("GET", "/quotas", None),
                ("POST", "/keys", body),
                ("GET", "/keys", None),
                ("GET", "/keys/me", None),
                ("GET", "/submissions", None),
                ("POST", f"/keys/{uuid4()}/revoke", None),
                ("GET", "/admin/entries", None),
                ("POST", "/admin/judging/pause", {"why": "a good reason"}),
                ("GET", f"/submissions/{hidden['id']}", None),
                ("GET", f"/submissions/{uuid4()}", None),
                ("GET", f"/submissions/{shown['id']}/events", None),
                ("POST", f"/submissions/{hidden['id']}/judge", None),
            ):
                status, problem = await send(gateway, method, path, sent, **headers)
                answers.add((status, problem["code"], problem["detail"], problem["fix"]))
                assert problem["code"] == "unknown_credential", (secret, method, path)
            for path in ("/submissions", "/validate"):
                form = aiohttp.FormData({"model_name": f"m {uuid4()}", "organization": "Lab"})
                form.add_field("file", FILE, filename="p.json")
                async with gateway.client.post(f"/api/v1{path}", data=form, headers=headers) as got:
                    problem = await got.json(content_type=None)
                answers.add((got.status, problem["code"], problem["detail"], problem["fix"]))
            for page in ("/submit", f"/submissions/{hidden['id']}"):
                assert (await gateway.get(page, **headers))[0] == 401, page
        assert len(answers) == 1, "the answer tells which part is wrong"
        assert answers.pop()[:2] == (401, "unknown_credential")
        assert await database.pool.fetchval("SELECT count(*) FROM quota_uses") == before


async def test_what_is_understood_goes_on_as_before(database: Database) -> None:
    async with running_gateway(database, admin_key=ADMIN, registration="open") as gateway:
        _, shown = await gateway.submit(FILE)
        mine = owner(shown)
        assert (await send(gateway, "GET", "/quotas", **mine))[0] == 200
        assert (await gateway.submit(FILE, headers=mine))[0] == 202
        status, problem = await send(gateway, "GET", "/admin/entries", **mine)
        assert (status, problem["code"]) == (403, "administrator_required")
        for path in ("/leaderboards", "/leaderboards/community", "/status"):  # public, without any
            assert (await send(gateway, "GET", path, Authorization='Bearer "x"'))[0] == 200
            assert (await send(gateway, "GET", path, Authorization="nonsense"))[0] == 200


async def test_without_administration_that_is_what_is_told(database: Database) -> None:
    async with running_gateway(database) as gateway:
        broken = {"Authorization": "Bearer the-administrators-own-long-ke"}
        status, problem = await send(gateway, "GET", "/admin/entries", **broken)
        assert (status, problem["code"]) == (403, "administration_off")
