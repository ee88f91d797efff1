"""Quotas over HTTP: exact over several gateways, fair about failures of ours, clear about when."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from services.judge.store import announce_judge
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.depth import deep
from tests.fakes.grader import FakeGrader

ADMIN = "the-administrators-own-and-long-key"
ROOT = {"Authorization": f"Bearer {ADMIN}"}
FILE = orjson.dumps(records())


async def quotas(gateway: Gateway, **headers: str) -> dict[str, Any]:
    async with gateway.client.get("/api/v1/quotas", headers=headers) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


async def back_date(gateway: Gateway, interval: str) -> None:
    await gateway.database.pool.execute(f"UPDATE quota_uses SET at = at - interval '{interval}'")  # noqa: S608


@deep
async def test_of_twenty_at_once_over_two_gateways_five_are_admitted(database: Database) -> None:
    few = {"address_submissions_per_day": 5, "validation_workers": 2}
    async with running_gateway(database, **few) as one, running_gateway(database, **few) as two:
        answers = await asyncio.gather(*((one, two)[n % 2].submit(FILE) for n in range(20)))
        statuses = sorted(status for status, _ in answers)
        assert statuses == [202] * 5 + [429] * 15
        assert await database.pool.fetchval("SELECT count(*) FROM submissions") == 5
        refused = [problem for status, problem in answers if status == 429]
        assert {problem["code"] for problem in refused} == {"submission_quota"}
        assert all("5 of 5 submissions" in problem["detail"] for problem in refused)


async def test_the_window_rolls_and_names_the_next_slot(database: Database) -> None:
    async with running_gateway(database, address_submissions_per_day=2) as gateway:
        assert (await gateway.submit(FILE))[0] == 202
        await back_date(gateway, "23 hours 59 minutes")
        key = {"Idempotency-Key": "mine"}
        first = await gateway.submit(FILE, headers=key, model_name="again")
        assert first[0] == 202
        form = {"model_name": "x", "organization": "y", "file": FILE.decode()}
        async with gateway.client.post("/api/v1/submissions", data=form) as response:
            assert response.status == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 60
        # A repeat of what was accepted uses up nothing and is answered.
        assert await gateway.submit(FILE, headers=key, model_name="again") == first
        told = await quotas(gateway)
        assert told["account"] == "address:127.0.0.1"
        assert (told["submissions"]["limit"], told["submissions"]["used"]) == (2, 2)
        assert told["submissions"]["next_at"]
        await back_date(gateway, "1 minute")
        assert (await gateway.submit(FILE))[0] == 202


async def test_a_failure_of_the_server_does_not_count(database: Database) -> None:
    async with running_gateway(database, address_submissions_per_day=1) as gateway:
        _, receipt = await gateway.submit(FILE)
        assert (await gateway.submit(FILE))[0] == 429
        await gateway.set_state(receipt["id"], "failed", code="worker_crashed", reason="our bug")
        told = await quotas(gateway)
        assert (told["submissions"]["used"], told["bytes"]["used"]) == (0, 0)
        assert (await gateway.submit(FILE))[0] == 202


async def test_bytes_count_whatever_became_of_them(database: Database) -> None:
    async with running_gateway(database, address_bytes_per_day=3 * len(FILE)) as gateway:
        assert (await gateway.submit(FILE))[0] == 202
        assert (await gateway.submit(FILE[:-1]))[0] == 422
        told = await quotas(gateway)
        assert told["bytes"]["used"] > 2 * len(FILE)
        assert told["submissions"]["used"] == 1  # what was refused is no submission
        status, problem = await gateway.submit(FILE)
        assert (status, problem["code"]) == (429, "byte_quota")


async def test_keys_have_quotas_of_their_own(database: Database) -> None:
    async with running_gateway(
        database, admin_key=ADMIN, address_submissions_per_day=0, key_submissions_per_day=1
    ) as gateway:
        status, problem = await gateway.submit(FILE)
        assert (status, problem["code"]) == (429, "quota_exhausted")
        keys = []
        for own in (None, 2):
            body = {"label": "x", "owner": "y", "quotas": {"submissions_per_day": own}}
            async with gateway.client.post("/api/v1/keys", json=body, headers=ROOT) as response:
                keys.append({"Authorization": f"Bearer {(await response.json())['key']}"})
        for key, room in zip(keys, (1, 2), strict=True):
            statuses = [(await gateway.submit(FILE, headers=key))[0] for _ in range(room + 1)]
            assert statuses == [202] * room + [429]
        assert (await quotas(gateway, **keys[1]))["submissions"]["used"] == 2
        assert (await gateway.submit(FILE, headers=ROOT))[0] == 202  # nobody pays
        assert (await quotas(gateway, **ROOT))["submissions"]["limit"] is None


async def test_forged_addresses_pay_from_their_real_one(database: Database) -> None:
    async with running_gateway(database, address_submissions_per_day=1) as gateway:
        headers = {"X-Forwarded-For": "203.0.113.1", "Forwarded": "for=203.0.113.1"}
        assert (await gateway.submit(FILE, headers=headers))[0] == 202
        headers = {"X-Forwarded-For": "203.0.113.2", "X-Real-IP": "203.0.113.2"}
        assert (await gateway.submit(FILE, headers=headers))[0] == 429
    async with running_gateway(
        database, address_submissions_per_day=1, trusted_proxies="127.0.0.0/8, ::1/128"
    ) as gateway:
        for address, status in (
            ("203.0.113.2", 202),
            ("1.1.1.1, 203.0.113.2", 429),
            ("2001:db8::1", 202),
            ("2001:db8::2", 429),
            ("2001:db8:0:1::1", 202),
        ):
            assert (await gateway.submit(FILE, headers={"X-Forwarded-For": address}))[0] == status


async def test_judge_runs_are_counted_and_failed_ones_are_not(database: Database) -> None:
    await announce_judge(database, FakeGrader().version, 1)
    async with running_gateway(
        database, address_judge_runs_per_month=1, judge_estimate_seconds=0
    ) as gateway:
        owners = []
        for _ in range(2):
            _, receipt = await gateway.submit(FILE)
            await gateway.set_state(receipt["id"], "scored")
            headers = {"Authorization": f"Bearer {receipt['owner_token']}"}
            owners.append((f"/api/v1/submissions/{receipt['id']}/judge", headers))
        answers = await asyncio.gather(*(ask(gateway, *owner) for owner in owners))
        assert sorted(status for status, _ in answers) == [202, 429]
        assert {code for status, code in answers if status == 429} == {"judging_quota"}
        await database.pool.execute(
            "UPDATE judge_runs SET state = 'failed', reason = 'too_many_unscored'"
        )
        refused = next(o for o, answer in zip(owners, answers, strict=True) if answer[0] == 429)
        assert (await ask(gateway, *refused))[0] == 202


async def ask(gateway: Gateway, path: str, headers: dict[str, str]) -> tuple[int, str | None]:
    async with gateway.client.post(path, headers=headers) as response:
        return response.status, (await response.json(content_type=None)).get("code")
