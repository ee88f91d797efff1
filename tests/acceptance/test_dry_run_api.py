"""The dry run over HTTP: the whole diagnosis, nothing stored, the limits of an upload."""

from __future__ import annotations

import gzip
import io
from typing import Any

import aiohttp
import orjson

from medvid.benchmark.tasks import Task
from shared.storage.database import Database
from tests.acceptance.gateway_harness import SAMPLES, Gateway, records, running_gateway

FILE = orjson.dumps(records())


async def validate(
    gateway: Gateway, file: bytes | None, **fields: str
) -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("model_name", fields.pop("model_name", "a fresh name"))
    if file is not None:
        form.add_field("file", io.BytesIO(file), filename="p.json")
    for name, value in fields.items():
        form.add_field(name, value)
    async with gateway.client.post("/api/v1/validate", data=form) as response:
        return response.status, await response.json(content_type=None)


async def test_a_sound_file_is_diagnosed_and_not_stored(database: Database) -> None:
    async with running_gateway(database) as gateway:
        status, answer = await validate(gateway, gzip.compress(FILE))
        assert (status, answer["ok"], answer["errors"]) == (200, True, [])
        report = answer["report"]
        assert (report["samples"], report["answered"], report["mode"]) == (
            SAMPLES,
            SAMPLES,
            "position",
        )
        assert {task["task"] for task in report["tasks"]} <= set(Task)
        for table in ("submissions", "entries", "payloads", "outbox"):
            assert await database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
        # The same report is in the status of the submission.
        _, receipt = await gateway.submit(FILE)
        owned = await gateway.status(receipt["id"], receipt["owner_token"])
        assert owned["report"] == report
        assert owned["ground_truth_version"] == answer["ground_truth_version"]


async def test_what_looks_wrong_is_shown_by_sample(database: Database) -> None:
    wrong = records()
    for record in wrong:
        if record["qa_type"] == "tal":
            record["prediction"] = "90000.0-90010.5 seconds."  # frames, and always the same
        elif record["qa_type"] == "stg":
            record["prediction"] = "1.0 seconds: [0.1, 0.2, 0.3, 0.4] 2.0 seconds: [0.1, 0.2"
    del wrong[-3:]
    async with running_gateway(database) as gateway:
        status, answer = await validate(gateway, orjson.dumps(wrong))
    assert (status, answer["ok"]) == (200, True)
    assert answer["report"]["coverage"] == (SAMPLES - 3) / SAMPLES
    found = {
        (warning["code"], warning["task"]): warning for warning in answer["report"]["warnings"]
    }
    assert {code for code, _ in found} >= {
        "partial", "constant", "times_in_frames", "normalised_boxes", "likely_truncated",
        "low_structure",
    }  # fmt: skip
    for (code, task), warning in found.items():
        assert warning["count"] >= len(warning["examples"]) > 0
        assert warning["effect"]
        assert warning["fix"]
        assert warning["example"] or code in ("partial", "constant")
        for index in warning["examples"]:
            kind = records()[index]["qa_type"]
            assert code == "partial" or kind.startswith(str(task)) or task in kind


async def test_problems_of_form_and_file_come_together(database: Database) -> None:
    wrong = records()[:-1]  # of a whole file, whose order tells, unknown ids would be ignored
    wrong[3]["id"] = "unknown&&1&&2&&3"
    async with running_gateway(database) as gateway:
        assert (await gateway.submit(FILE, model_name="Taken"))[0] == 202
        status, answer = await validate(
            gateway, orjson.dumps(wrong), model_name="TAKEN", model_url="javascript:alert(1)", x="y"
        )
        assert (status, answer["ok"]) == (200, False)
        assert {(item["location"], item["code"]) for item in answer["errors"]} == {
            ("form", "invalid_url"),
            ("form", "unknown_field"),
            ("form", "model_name_taken"),
            ("file", "unknown_id"),
        }
        assert answer["error_count"] == len(answer["errors"])
        assert not answer["report"]["ok"]
        options = ({"evaluate_only": "true"}, {"replaces": "00000000-0000-0000-0000-000000000007"})
        for given in options:  # neither needs a name of its own
            assert (await validate(gateway, FILE, model_name="TAKEN", **given))[1]["ok"]
        status, answer = await validate(gateway, FILE, webhook_url="http://127.0.0.1/")
        assert [item["path"] for item in answer["errors"]] == ["$.webhook_url"]
        status, answer = await validate(gateway, None)
        assert [item["path"] for item in answer["errors"]] == ["$.file"]
        assert answer["report"] is None
        status, answer = await validate(gateway, b"\x00\x01 not json")
        assert (status, answer["report"]["problems"][0]["code"]) == (200, "wrong_shape")


async def test_one_wrong_field_name_is_one_error_with_its_cure(database: Database) -> None:
    wrong = [
        {"id": record["id"], "qa_type": record["qa_type"], "response": record["prediction"]}
        for record in records()
    ]
    lines = b"\n".join(map(orjson.dumps, wrong))
    async with running_gateway(database) as gateway:
        for file in (orjson.dumps(wrong), lines, gzip.compress(lines)):
            status, answer = await validate(gateway, file)
            (error,) = answer["errors"]
            assert (status, answer["error_count"], error["count"]) == (200, SAMPLES, SAMPLES)
            assert error["places"] == [f"$[{index}].prediction" for index in range(3)]
            assert "--answer-field response" in error["fix"]
            assert answer["report"]["problems"][0]["count"] == SAMPLES
        # curl without its @ sends the name instead of the file
        status, answer = await validate(gateway, b"predictions.json")
        assert "-F file=@FILE" in answer["errors"][0]["fix"]


async def test_json_lines_with_gaps_say_how_they_were_matched(database: Database) -> None:
    lines = b"\r\n".join(map(orjson.dumps, records()[:-5]))
    async with running_gateway(database) as gateway:
        status, answer = await validate(gateway, lines)
        assert (status, answer["ok"], answer["report"]["mode"]) == (200, True, "position")
        assert answer["report"]["answered"] == SAMPLES - 5


async def test_the_limits_are_those_of_an_upload(database: Database) -> None:
    async with running_gateway(database, address_bytes_per_day=int(2.5 * len(FILE))) as gateway:
        for status in (200, 200, 429):
            assert (await validate(gateway, FILE))[0] == status
    async with running_gateway(database, load=False, anonymous_submissions=False) as gateway:
        assert (await validate(gateway, FILE))[1]["code"] == "key_required"


def sparse(share: float) -> bytes:
    """A file of which this share of the records has a text."""
    answered = int(SAMPLES * share)
    kept = [record if n < answered else {**record, "prediction": " "} for n, record in enumerate(
        records()
    )]  # fmt: skip
    return orjson.dumps(kept)


async def test_a_place_on_a_board_needs_answers_to_half_of_the_samples(database: Database) -> None:
    few, half = sparse(0.49), sparse(0.5)
    async with running_gateway(database, address_submissions_per_day=3) as gateway:
        status, answer = await validate(gateway, few)
        (error,) = answer["errors"]
        assert (status, answer["ok"], answer["error_count"]) == (200, False, 1)
        assert (error["code"], error["path"]) == ("coverage_too_low", "$.file")
        assert "evaluate_only=true" in error["fix"]
        assert answer["report"]["ok"], "nothing is wrong with the file itself"
        assert (await validate(gateway, few, evaluate_only="true"))[1]["ok"]
        assert (await validate(gateway, half))[1]["ok"]
        _, first = await gateway.submit(half, model_name="Ours")
        await gateway.set_state(first["id"], "scored")
        owner = {"Authorization": f"Bearer {first['owner_token']}"}
        for fields in ({}, {"replaces": first["id"], "model_name": "Ours"}) * 3:
            status, problem = await gateway.submit(few, headers=owner, **fields)
            assert (status, problem["code"]) == (422, "coverage_too_low")
            assert problem["detail"].startswith("58 of 120 samples answered")
            assert problem["report"]["answered"] == SAMPLES
        # None of these cost a submission: of three, two are left.
        assert (await gateway.submit(few, evaluate_only="true"))[0] == 202
        assert (await gateway.submit(half))[0] == 202
        status, problem = await gateway.submit(few, model_name="<", evaluate_only="true")
        assert problem["code"] == "submission_quota"


async def test_other_problems_are_told_beside_too_few_answers(database: Database) -> None:
    async with running_gateway(database) as gateway:
        status, problem = await gateway.submit(sparse(0.1), organization="")
        assert (status, problem["code"]) == (422, "invalid_submission")
        assert [error["code"] for error in problem["errors"]] == [
            "empty_field", "coverage_too_low",
        ]  # fmt: skip


async def test_operators_set_the_least_coverage(database: Database) -> None:
    async with running_gateway(database, minimum_coverage=0) as gateway:
        assert (await gateway.submit(sparse(0.01)))[0] == 202
    async with running_gateway(database, minimum_coverage=1) as gateway:
        assert (await gateway.submit(FILE))[0] == 202
        assert (await gateway.submit(sparse(0.99)))[1]["code"] == "coverage_too_low"
