"""What becomes of submissions, over HTTP: listed, withdrawn, replaced, only evaluated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import orjson

from services.judge.store import announce_judge
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, owner, records, running_gateway, send
from tests.fakes.grader import FakeGrader
from tests.patience import HANG_SECONDS
from tests.ranking import ranking, score

ADMIN = "the-administrators-own-and-long-key"
ROOT = {"Authorization": f"Bearer {ADMIN}"}
FILE = orjson.dumps(records())


@asynccontextmanager
async def ranked_gateway(database: Database, **changes: Any) -> AsyncIterator[Gateway]:
    async with (
        running_gateway(database, admin_key=ADMIN, **changes) as gateway,
        ranking(database, gateway.bus),
    ):
        yield gateway


async def withdraw(gateway: Gateway, receipt: dict[str, Any], **headers: str) -> tuple[int, Any]:
    path = f"/submissions/{receipt['id']}/withdraw"
    status, answer = await send(gateway, "POST", path, **(headers or owner(receipt)))
    return status, answer.get("code")


async def reaches(gateway: Gateway, receipt: dict[str, Any], state: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            found = await gateway.status(receipt["id"], receipt["owner_token"])
            if found["state"] == state:
                return found
            await asyncio.sleep(0.02)


async def board(gateway: Gateway, *names: str) -> dict[str, Any]:
    """Wait until the community board shows exactly these models."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            _, _, body = await gateway.get("/api/v1/leaderboards/community")
            answer: dict[str, Any] = orjson.loads(body)
            if sorted(entry["model_name"] for entry in answer["entries"]) == sorted(names):
                return answer
            await asyncio.sleep(0.02)


async def ranked(gateway: Gateway, name: str, value: float, **more: Any) -> dict[str, Any]:
    status, receipt = await gateway.submit(FILE, model_name=name, **more)
    assert status == 202, receipt
    await score(gateway.database, receipt["id"], {"cvs_acc": value})
    await reaches(gateway, receipt, "ranked")
    return receipt


async def test_a_withdrawn_model_leaves_the_board_and_a_tombstone(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        await ranked(gateway, "Stays", 0.5)
        goes = await ranked(gateway, "Goes", 0.9)
        await board(gateway, "Goes", "Stays")
        assert await withdraw(gateway, goes) == (204, None)
        assert (await board(gateway, "Stays"))["entries"][0]["rank"] == 1
        found = await gateway.status(goes["id"], goes["owner_token"])
        assert (found["state"], found["final"], found["entry"]) == ("withdrawn", True, None)
        assert found["withdrawal"] == {"by": "owner", "note": None}
        assert [step["state"] for step in found["timeline"]] == [
            "accepted", "scored", "ranked", "withdrawn",
        ]  # fmt: skip
        assert (await gateway.status(goes["id"]))["state"] == "withdrawn"
        assert await withdraw(gateway, goes) == (204, None)  # again changes nothing
        await ranked(gateway, "GOES", 0.7)  # the name is free
        await board(gateway, "GOES", "Stays")


async def test_what_waits_for_scores_can_be_withdrawn(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        _, receipt = await gateway.submit(FILE, model_name="early")
        assert await withdraw(gateway, receipt) == (204, None)
        moved = await database.pool.execute(  # the scorer comes too late, and notices
            "UPDATE submissions SET state = 'scored' WHERE id = $1 AND state = 'accepted'",
            UUID(receipt["id"]),
        )
        assert moved == "UPDATE 0"
        assert (await gateway.submit(FILE, model_name="early"))[0] == 202


async def test_only_the_owner_and_administrators_withdraw(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        mine = await ranked(gateway, "Mine", 0.5)
        other = await ranked(gateway, "Other", 0.4)
        path = f"/submissions/{mine['id']}/withdraw"
        assert (await send(gateway, "POST", path))[1]["code"] == "token_required"
        assert await withdraw(gateway, mine, **owner(other)) == (401, "invalid_token")
        assert await withdraw(gateway, {"id": str(uuid4())}, **owner(other)) == (
            404,
            "submission_not_found",
        )
        assert await withdraw(gateway, mine, **ROOT) == (422, "reason_required")
        status, _ = await send(gateway, "POST", path, {"note": "asked by mail"}, **ROOT)
        assert status == 204
        found = await gateway.status(mine["id"], mine["owner_token"])
        assert found["withdrawal"] == {"by": "administrator", "note": "asked by mail"}
        line = await database.pool.fetchrow("SELECT * FROM audit_log")
        assert line is not None
        assert (line["who"], line["action"], line["subject"], line["why"]) == (
            "administrator",
            "withdraw_submission",
            mine["id"],
            "asked by mail",
        )
        await board(gateway, "Other")


async def test_withdrawing_ends_its_judge_run(database: Database) -> None:
    await announce_judge(database, FakeGrader().version, 1)
    async with ranked_gateway(
        database, judge_estimate_seconds=0, address_judge_runs_per_month=1
    ) as gateway:
        receipt = await ranked(gateway, "Judged", 0.5)
        path = f"/submissions/{receipt['id']}/judge"
        assert (await send(gateway, "POST", path, **owner(receipt)))[0] == 202
        assert await withdraw(gateway, receipt) == (204, None)
        found = await gateway.status(receipt["id"], receipt["owner_token"])
        assert found["judging"]["run"]["state"] == "failed"
        assert found["judging"]["run"]["reason"] == "withdrawn"
        assert [(step["kind"], step["state"]) for step in found["timeline"]][3:] == [
            ("judging", "queued"),
            ("submission", "withdrawn"),
            ("judging", "failed"),
        ]
        assert (await send(gateway, "POST", path, **owner(receipt)))[1]["code"] == "no_entry"
        again = await ranked(gateway, "Judged", 0.5)  # its run was used up all the same
        path = f"/submissions/{again['id']}/judge"
        assert (await send(gateway, "POST", path, **owner(again)))[1]["code"] == "judging_quota"


async def test_a_new_version_takes_over_when_it_is_scored(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        first = await ranked(gateway, "Model", 0.5)
        await ranked(gateway, "Rival", 0.7)
        status, second = await gateway.submit(
            FILE, headers=owner(first), replaces=first["id"], model_name="", organization=""
        )
        assert status == 202, second
        shown = await board(gateway, "Model", "Rival")  # the first one is still ranked
        assert [entry["model_name"] for entry in shown["entries"]] == ["Rival", "Model"]
        assert (await gateway.submit(FILE, model_name="MODEL"))[1]["code"] == "model_name_taken"
        refused = await gateway.submit(FILE, headers=owner(first), replaces=first["id"])
        assert refused[1]["code"] == "invalid_submission"  # another name
        refused = await gateway.submit(
            FILE, headers=owner(first), replaces=first["id"], model_name="model"
        )
        assert refused[1]["code"] == "replacement_pending"
        await score(database, second["id"], {"cvs_acc": 0.9})
        new = await reaches(gateway, second, "ranked")
        old = await gateway.status(first["id"], first["owner_token"])
        assert (new["version"], new["replaces"], new["entry"]["rank"]) == (2, first["id"], 1)
        assert (old["state"], old["replaced_by"], old["entry"]) == ("replaced", second["id"], None)
        shown = await board(gateway, "Model", "Rival")
        assert [entry["model_name"] for entry in shown["entries"]] == ["Model", "Rival"]
        standing = new["standing"]
        assert [place["rank"] for place in standing["places"]] == [1, 1]
        assert len(standing["scores"]) == 10
        shown_score, missing = standing["scores"][0], standing["scores"][1]
        assert (shown_score["metric"], shown_score["compat"]) == ("cvs_acc", 0.9)
        assert shown_score["change"] == {"compat": 0.4, "strict": 0.4}
        assert shown_score["best"] == {"compat": 0.9, "strict": 0.9}
        assert shown_score["ranks"] == {"compat": 1, "strict": 1}
        assert (missing["compat"], missing["change"], missing["ranks"]) == (None, {}, {})
        assert (await gateway.status(second["id"])).get("standing") is None  # the owner's alone
        entry = new["entry"]
        for address in (entry["url"], entry["page"]):
            assert (await gateway.get(address))[0] == 200
        assert orjson.loads((await gateway.get(entry["url"]))[2])["id"] == entry["id"]
        async with gateway.client.get(
            f"/submissions/{second['id']}", headers=owner(second)
        ) as response:
            page = await response.text()
        assert "Its ten scores" in page
        assert "+0.4000" in page
        refused = await gateway.submit(
            FILE, headers=owner(first), replaces=first["id"], model_name="model"
        )
        assert refused[1]["code"] == "not_replaceable"  # only the newest version is
        third = await ranked(gateway, "Model", 0.2, headers=owner(second), replaces=second["id"])
        assert (await gateway.status(third["id"], third["owner_token"]))["version"] == 3


async def test_a_new_version_that_fails_leaves_the_old_one(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        first = await ranked(gateway, "Model", 0.5)
        _, second = await gateway.submit(
            FILE, headers=owner(first), replaces=first["id"], model_name="Model"
        )
        await gateway.set_state(second["id"], "failed", code="worker_crashed", reason="our bug")
        await database.pool.execute(
            "UPDATE entries SET removed_at = now() WHERE submission_id = $1", UUID(second["id"])
        )
        await board(gateway, "Model")
        third = await ranked(gateway, "Model", 0.6, headers=owner(first), replaces=first["id"])
        await board(gateway, "Model")
        assert (await gateway.status(third["id"], third["owner_token"]))["version"] == 2


async def test_a_waiting_version_gets_the_name_of_a_withdrawn_one(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        first = await ranked(gateway, "Model", 0.5)
        _, second = await gateway.submit(
            FILE, headers=owner(first), replaces=first["id"], model_name="Model"
        )
        assert await withdraw(gateway, first) == (204, None)
        assert (await gateway.submit(FILE, model_name="Model"))[1]["code"] == "model_name_taken"
        await score(database, second["id"], {"cvs_acc": 0.9})
        await reaches(gateway, second, "ranked")
        await board(gateway, "Model")


async def test_nobody_replaces_what_is_anothers(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        first = await ranked(gateway, "Model", 0.5)
        other = await ranked(gateway, "Other", 0.4)
        for headers, code in ((owner(other), "invalid_token"), ({}, "token_required")):
            status, problem = await gateway.submit(
                FILE, headers=headers, replaces=first["id"], model_name="Model"
            )
            assert (status, problem["code"]) == (401, code)


async def test_what_is_only_evaluated_is_its_owners_alone(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        await ranked(gateway, "Better", 0.9)
        await ranked(gateway, "Worse", 0.1)
        status, receipt = await gateway.submit(FILE, model_name="Better", evaluate_only="true")
        assert status == 202, receipt  # a name of its own is not needed
        await score(database, receipt["id"], {"cvs_acc": 0.5})
        found = await reaches(gateway, receipt, "ranked")
        assert (found["mode"], found["entry"]) == ("evaluate_only", None)
        standings = {standing["scoring"]: standing for standing in found["hypothetical"]}
        assert set(standings) == {"compat", "strict"}
        assert (standings["compat"]["rank"], standings["compat"]["entries"]) == (2, 3)
        assert standings["compat"]["values"]["cvs_acc"] == 0.5
        shown = await board(gateway, "Better", "Worse")
        assert receipt["id"] not in str(shown)
        unknown = await gateway.get(f"/api/v1/submissions/{uuid4()}")
        for path in ("", "/events", "/verdicts"):
            for headers in ({}, owner(await ranked(gateway, f"Other{path}", 0.3))):
                status, _, body = await gateway.get(
                    f"/api/v1/submissions/{receipt['id']}{path}", **headers
                )
                assert status == 404
                assert orjson.loads(body)["detail"] == orjson.loads(unknown[2])["detail"]
        # Judged scores are ranked too, and the newer standing replaces the older.
        await database.pool.execute(
            "INSERT INTO scores (entry_id, metric, compat, strict)"
            " SELECT id, 'nap_acc', 1, 1 FROM entries WHERE submission_id = $1",
            UUID(receipt["id"]),
        )
        await ranked(gateway, "Another", 0.05)
        found = await gateway.status(receipt["id"], receipt["owner_token"])
        assert (found["hypothetical"][0]["rank"], found["hypothetical"][0]["entries"]) == (1, 7)


async def test_answers_to_a_key_are_rounded_and_verdicts_hidden(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        _, receipt = await gateway.submit(FILE, evaluate_only="true")
        await score(database, receipt["id"], {"cvs_acc": 0.51234})
        found = await reaches(gateway, receipt, "ranked")
        shown = found["hypothetical"][0]
        assert shown["values"]["cvs_acc"] == 0.51
        assert (shown["steps"], shown["repeats"]) == ({"cvs_acc": 0.01}, [])
        assert "51234" not in orjson.dumps(found).decode()
        status, problem = await send(
            gateway, "GET", f"/submissions/{receipt['id']}/verdicts", **owner(receipt)
        )
        assert (status, problem["code"]) == (403, "verdicts_hidden")


async def test_addresses_of_entries_never_die(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        goes = await ranked(gateway, "Goes", 0.9)
        entry_id = (await board(gateway, "Goes"))["entries"][0]["entry_id"]
        note = {"note": "a mistake"}
        path = f"/submissions/{goes['id']}/withdraw"
        assert (await send(gateway, "POST", path, note, **owner(goes)))[0] == 204
        address = f"/leaderboards/community/entries/{entry_id}"
        status, problem = await send(gateway, "GET", address)
        assert (status, problem["code"]) == (410, "entry_gone")
        found = problem["entry"]
        assert (found["state"], found["by"], found["note"]) == ("withdrawn", "owner", "a mistake")
        assert {(had["scoring"], had["best"]) for had in found["ranks"]} >= {("compat", 1)}
        _, listed = await send(gateway, "GET", "/leaderboards/community/withdrawn")
        assert [each["model_name"] for each in listed["entries"]] == ["Goes"]
        for page, code in ((found["page"], 410), ("/boards/community/withdrawn", 200)):
            status, _, text = await gateway.get(page)
            assert status == code
            assert b"Goes" in text
        why = {"why": "asked by its owner"}
        status, _ = await send(gateway, "POST", f"/admin/entries/{entry_id}/erase", why, **ROOT)
        assert status == 200
        _, listed = await send(gateway, "GET", "/leaderboards/community/withdrawn")
        assert [each["model_name"] for each in listed["entries"]] == [None]
        assert listed["entries"][0]["note"] is None


async def test_owners_list_their_own_and_administrators_all(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        body = {"label": "x", "owner": "y"}
        made = (await send(gateway, "POST", "/keys", body, **ROOT))[1]
        key = {"Authorization": f"Bearer {made['key']}"}
        with_key = [(await gateway.submit(FILE, headers=key))[1]["id"] for _ in range(3)]
        _, receipt = await gateway.submit(FILE, model_name="alone")
        status, page = await send(gateway, "GET", "/submissions", **owner(receipt))
        assert status == 200
        assert [line["model_name"] for line in page["submissions"]] == ["alone"]
        found: list[str] = []
        path = "/submissions?limit=2"
        while path:
            _, page = await send(gateway, "GET", path, **key)
            found += [line["id"] for line in page["submissions"]]
            cursor = page["next_cursor"]
            path = f"/submissions?limit=2&cursor={cursor}" if cursor else ""
        assert found == with_key[::-1]
        _, page = await send(gateway, "GET", "/submissions", **ROOT)
        assert [line["id"] for line in page["submissions"]] == [receipt["id"], *found]
        assert await withdraw(gateway, receipt) == (204, None)
        _, page = await send(gateway, "GET", "/submissions?state=withdrawn", **ROOT)
        assert [line["id"] for line in page["submissions"]] == [receipt["id"]]
        assert (await send(gateway, "GET", "/submissions"))[1]["code"] == "token_required"
        unknown = {"Authorization": "Bearer mvb_nobody"}
        _, problem = await send(gateway, "GET", "/submissions", **unknown)
        assert problem["code"] == "unknown_credential"


async def test_wrong_options_are_named(database: Database) -> None:
    async with running_gateway(database) as gateway:
        status, problem = await gateway.submit(FILE, replaces="x", evaluate_only="perhaps")
        assert (status, problem["code"]) == (422, "invalid_submission")
        assert [(item["location"], item["code"]) for item in problem["errors"]] == [
            ("form", "invalid_id"),
            ("form", "invalid_choice"),
        ]
