"""Attacks on quotas: many addresses of one host, bytes that nobody counts, dry runs without end."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
import pytest

from services.judge.store import announce_judge
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.fakes.grader import FakeGrader

FILE: Final = orjson.dumps(records())
PROXIED: Final = {"trusted_proxies": "127.0.0.0/8, ::1/128"}
BOUNDARY: Final = "attack"
FORM: Final = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def sent_from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def used(gateway: Gateway, quota: str = "bytes", **headers: str) -> dict[str, Any]:
    _, _, body = await gateway.get("/api/v1/quotas", **headers)
    found: dict[str, Any] = orjson.loads(body)[quota]
    return found


async def post(gateway: Gateway, path: str, body: bytes, **headers: str) -> tuple[int, str | None]:
    given = {**FORM, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with gateway.client.post(f"/api/v1{path}", data=body, headers=given) as response:
        return response.status, (await response.json(content_type=None)).get("code")


def form(*parts: tuple[str, bytes], end: bytes = b"--\r\n") -> bytes:
    """A form of these fields; `end` closes it, or does not."""
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (BOUNDARY.encode(), name.encode(), content)
        for name, content in parts
    )
    return body + b"--" + BOUNDARY.encode() + end


# ------------------------------------------------------------------ many addresses of one host
async def test_many_networks_of_one_customer_are_one_customer(database: Database) -> None:
    few = {"address_submissions_per_day": 5, "upload_concurrency": 100, **PROXIED}
    async with running_gateway(database, **few) as one, running_gateway(database, **few) as two:
        answers = await asyncio.gather(*(
            (one, two)[n % 2].submit(FILE, headers=sent_from(f"2001:db8:7:{n:x}00::1"))
            for n in range(15)
        ))  # fmt: skip
        statuses = sorted(status for status, _ in answers)
        assert statuses == [202] * 10 + [429] * 5
        refused = next(problem for status, problem in answers if status == 429)
        assert "10 of 10 submissions in 24 hours are used by 2001:db8:7::/48" in refused["detail"]
        # Another customer is another one.
        assert (await one.submit(FILE, headers=sent_from("2001:db8:8::1")))[0] == 202
        found = await used(one, "submissions", X_Forwarded_For="2001:db8:7:9999::1")
        assert (found["limit"], found["used"]) == (10, 10)
        assert found["next_at"]


async def test_a_smaller_network_has_a_smaller_limit(database: Database) -> None:
    async with running_gateway(database, address_submissions_per_day=2, **PROXIED) as gateway:
        statuses = [
            (await gateway.submit(FILE, headers=sent_from(f"2001:db8:7:{n:x}::1")))[0]
            for n in range(4)
        ]
        assert statuses == [202] * 3 + [429]
        assert (await gateway.submit(FILE, headers=sent_from("2001:db8:7:100::1")))[0] == 202


async def test_every_form_of_an_ipv4_host_is_that_host(database: Database) -> None:
    forms = (
        "192.0.2.1",
        "::ffff:192.0.2.1",
        "::ffff:0:192.0.2.1",
        "::192.0.2.1",
        "64:ff9b::192.0.2.1",
        "64:ff9b:1::192.0.2.1",
        "2002:c000:201::1",
        "2002:c000:201:17::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdfe",
    )
    async with running_gateway(database, address_submissions_per_day=1, **PROXIED) as gateway:
        statuses = [(await gateway.submit(FILE, headers=sent_from(each)))[0] for each in forms]
        assert statuses == [202] + [429] * (len(forms) - 1)


async def test_keys_and_judge_runs_are_counted_by_network(database: Database) -> None:
    await announce_judge(database, FakeGrader().version, 1)
    async with running_gateway(
        database, registration="open", registrations_per_day=2, address_judge_runs_per_month=1,
        judge_estimate_seconds=0, **PROXIED,
    ) as gateway:  # fmt: skip
        made, judged = [], []
        for n in range(6):
            headers = sent_from(f"2001:db8:7:{n:x}00::1")
            body = {"label": "x", "owner": "y"}
            async with gateway.client.post("/api/v1/keys", json=body, headers=headers) as answer:
                made.append(answer.status)
            _, receipt = await gateway.submit(FILE)
            await gateway.set_state(receipt["id"], "scored")
            owner = {**headers, "Authorization": f"Bearer {receipt['owner_token']}"}
            path = f"/api/v1/submissions/{receipt['id']}/judge"
            async with gateway.client.post(path, headers=owner) as answer:
                judged.append(answer.status)
        assert made == [201] * 4 + [429] * 2
        assert judged == [202] * 2 + [429] * 4


# ------------------------------------------------------------------ bytes that nobody counts
async def test_another_body_under_a_used_key_is_paid_for_and_ends(database: Database) -> None:
    async with running_gateway(database, address_bytes_per_day=4 * len(FILE)) as gateway:
        key = {"Idempotency-Key": "mine"}
        first = await gateway.submit(FILE, headers=key, model_name="one")
        assert first[0] == 202
        codes = []
        for n in range(6):
            status, problem = await gateway.submit(FILE, headers=key, model_name=f"other {n}")
            codes.append((status, problem["code"]))
        paid = codes.count((422, "idempotency_key_reused"))
        assert 3 <= paid < 6
        assert set(codes[paid:]) == {(429, "byte_quota")}
        assert (await used(gateway))["used"] > (paid + 1) * len(FILE)


async def test_a_true_repeat_is_free_and_answered_at_the_end_of_the_quota(
    database: Database,
) -> None:
    async with running_gateway(database, address_bytes_per_day=len(FILE) + 1_000) as gateway:
        key = {"Idempotency-Key": "mine"}
        first = await gateway.submit(FILE, headers=key, model_name="one")
        before = await used(gateway)
        for _ in range(3):
            assert await gateway.submit(FILE, headers=key, model_name="one") == first
        assert await used(gateway) == before
        assert (await gateway.submit(FILE))[1]["code"] == "byte_quota"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/submissions", form(("file", b"x" * 50_000), end=b""), "malformed_multipart"),
        ("/validate", form(("file", b"x" * 50_000), end=b""), "malformed_multipart"),
        ("/validate", form(("file", b"x" * 50_000), end=b" and more"), "malformed_multipart"),
        ("/submissions", form(*[("team", b"x" * 1_500)] * 65), "too_large"),
        ("/validate", form(("model_name", b"x" * 50_000)), None),
        ("/submissions", form(("model_name", b"x" * 50_000)), "invalid_submission"),
    ],
)
async def test_what_was_read_is_paid_for(
    database: Database, path: str, body: bytes, code: str | None
) -> None:
    async with running_gateway(database) as gateway:
        found = await post(gateway, path, body)
        assert found[1] == code
        assert (await used(gateway))["used"] >= 50_000
        # A form that stays away is paid for as far as it came.
        assert (await used(gateway))["used"] <= len(body)


async def test_a_form_that_breaks_is_refused_once_nothing_is_left(database: Database) -> None:
    async with running_gateway(database, address_bytes_per_day=120_000) as gateway:
        broken = form(("file", b"x" * 50_000), end=b"")
        codes = [(await post(gateway, "/submissions", broken))[1] for _ in range(4)]
        assert codes == ["malformed_multipart"] * 2 + ["byte_quota"] * 2


async def test_a_name_that_is_taken_costs_its_bytes(database: Database) -> None:
    async with running_gateway(database) as gateway:
        assert (await gateway.submit(FILE, model_name="one"))[0] == 202
        before = (await used(gateway))["used"]
        assert (await gateway.submit(FILE, model_name="ONE"))[1]["code"] == "model_name_taken"
        assert (await used(gateway))["used"] > before + len(FILE)
        assert (await used(gateway, "submissions"))["used"] == 1


# ------------------------------------------------------------------ dry runs
async def test_dry_runs_end_also_without_a_file(database: Database) -> None:
    few = {"address_validations_per_day": 3, **PROXIED}
    async with running_gateway(database, **few) as one, running_gateway(database, **few) as two:
        empty = form(("model_name", b"a name to look up"))
        answers = await asyncio.gather(*(
            post((one, two)[n % 2], "/validate", empty if n % 3 else form(("file", FILE)))
            for n in range(9)
        ))  # fmt: skip
        assert sorted(status for status, _ in answers) == [200] * 3 + [429] * 6
        assert {code for status, code in answers if status == 429} == {"validation_quota"}
        found = await used(one, "validations")
        assert (found["limit"], found["used"]) == (3, 3)
        assert found["next_at"]
        # A submission is something else; so is another network.
        assert (await one.submit(FILE))[0] == 202
        statuses = [
            (await post(one, "/validate", empty, X_Forwarded_For=f"2001:db8:7:{n:x}00::1"))[0]
            for n in range(8)
        ]
        assert statuses == [200] * 6 + [429] * 2
