"""Attacks on the private answers: what is told to those who search for them.

Two files differ in nothing but some answers, right ones in one and wrong ones in the other. What is
told of both alike tells nothing of the truth. `benchmarks/secrecy.py` does the same at length.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson
import pytest

from benchmarks.secrecy import complete, near_empty
from benchmarks.secrecy_attacker import Answers, Attacker, Records, distinguishable, flat
from medvid.benchmark.tasks import CAPTION_TASKS, task_of
from services.operate.ground_truth import store_ground_truth
from shared.storage.database import Database
from tests.depth import deep, is_deep
from tests.patience import HANG_SECONDS
from tests.rows import DEMO, load_demo_ground_truth
from tests.standalone import standalone


@pytest.fixture(scope="module")
def test_set() -> Answers:
    return Answers.of((DEMO / "ground_truth.json.gz").read_bytes())


def strong_answers(*, captions: bool = True) -> list[str]:
    """The demo's answers; without captions nobody waits for similarities, which take long."""
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    return [
        record["prediction"] if captions or task_of(record["qa_type"]) not in CAPTION_TASKS else ""
        for record in records
    ]


@asynccontextmanager
async def attacked(
    postgres_url: str, database: Database, folder: Path, **changes: Any
) -> AsyncIterator[Attacker]:
    """Run everything on the demo's test set; gives an attacker of it."""
    await load_demo_ground_truth(database)
    given = {"similarities": True, "trusted_proxies": "127.0.0.0/8", **changes}
    async with (
        asyncio.timeout(HANG_SECONDS),
        standalone(postgres_url, folder, **given) as http,
    ):
        yield Attacker(http)


async def test_near_empty_files_give_no_label_away(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    async with attacked(postgres_url, database, tmp_path) as attacker:
        found = await near_empty(attacker, test_set, 1)
        right, wrong = test_set.pair(0)
        one = test_set.places["next_action", "AVOS"][0]
        strong = strong_answers(captions=False)
        whole = [
            await attacker.learn(test_set.file({one: answers[one]}, strong))
            for answers in (right, wrong)
        ]
    assert (found["labels_aimed_at"], found["labels_recovered"]) == (24, 0)
    assert found["numbers_told_apart"] == 0
    assert found["refused"] == {"coverage_too_low": 2}
    # The same reading tells files apart that answer whole tasks, so it is no blind one.
    assert distinguishable(*whole)


@deep
async def test_what_complete_files_give_away_is_known(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    async with attacked(postgres_url, database, tmp_path) as attacker:
        whole = await complete(attacker, test_set, strong_answers(captions=False))
    assert whole["labels_by_two_values_of_answers_with_parts"] == 3 + 6
    assert whole["one_label_right_or_wrong_is_told"]


@deep
async def test_near_empty_files_on_a_board_give_no_label_away(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    settings = {"minimum_coverage": 0, "judge_provider": "stub", "judge_automatic": True}
    async with attacked(postgres_url, database, tmp_path, **settings) as attacker:
        attacker.judge = True
        found = await near_empty(attacker, test_set, 1)
        right, _ = test_set.pair(0)
        _, receipt = await attacker.send(test_set.file(right))
        owner = {"Authorization": f"Bearer {receipt['owner_token']}"}
        status = await attacker.ranked(receipt["status_url"], owner)
        entry = await get(attacker, f"/boards/community/entries/{status['entry']['id']}")
        board = await get(attacker, "/community")
        csv = await get(attacker, "/api/v1/leaderboards/community.csv")
    assert (found["labels_recovered"], found["numbers_told_apart"]) == (0, 0)
    assert found["refused"] == {}
    assert status["entry"]["rank"] is None
    assert "not ranked, too few answers" in entry
    assert "Not ranked: too few answers" in board
    assert csv.splitlines()[1].startswith(",")
    facts = status["judging"]["result"]["facts"]
    assert status["judging"]["run"]["items"] == 0, "nothing of it would be shown"
    assert facts["metrics"]["dvc_llm"]["withheld"] == "too_few_answers"
    assert (facts["pairs"], facts["metrics"]["dvc_llm"]["pairs"]) == (None, None)


def with_one_long_record(test_set: Answers, caption: str) -> Records:
    """Nothing, and one dense caption that says its first segment forty times."""
    every = [place for kind, places in test_set.places.items() for place in places
             if kind[0] == "dense_captioning"]  # fmt: skip
    one = test_set.places["dense_captioning", "AVOS"][0]
    segment = orjson.loads(orjson.dumps(test_set.records[one]["struc_info"]))[0]
    segment = segment[0] if isinstance(segment, list) else segment.get("dc_segments", [segment])[0]
    line = f"{segment['start']} - {segment['end']} second - {caption or segment['caption']}"
    return test_set.file(dict.fromkeys(every, "x") | {one: "\n".join([line] * 40)})


@deep
async def test_a_long_record_is_no_thirty_answers(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    async with attacked(postgres_url, database, tmp_path) as attacker:
        right = await attacker.learn(with_one_long_record(test_set, ""))
        wrong = await attacker.learn(with_one_long_record(test_set, "nothing of the kind"))
    assert distinguishable(right, wrong) == []
    # It answers too little for a board; of what is only evaluated no similarity is shown.
    shown = {path: value for path, value in right.items() if path[:2] == ("status", "similarities")}
    assert not any(shown.values()), shown


@deep
async def test_what_a_source_hides_is_not_the_rest_of_the_whole(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    strong = strong_answers(captions=False)
    hidden = test_set.places["tal", "AVOS"]
    one = dict.fromkeys(hidden, "") | {hidden[0]: test_set.answer(hidden[0])}
    async with attacked(postgres_url, database, tmp_path) as attacker:
        _, receipt = await attacker.send(test_set.file(one, strong))
        owner = {"Authorization": f"Bearer {receipt['owner_token']}"}
        entry = (await attacker.ranked(receipt["status_url"], owner))["entry"]
        details = orjson.loads(
            await get(attacker, f"/api/v1/leaderboards/community/entries/{entry['id']}")
        )
    found = next(score for score in details["scores"] if score["metric"] == "tag_miou_03")
    told = [source for source, part in found["by_source"].items() if part["compat"] is not None]
    assert found["compat"] is not None
    assert len(told) == len(found["by_source"]) - 2, "the one of one answer, and one with it"
    assert found["by_source"]["AVOS"]["answered"] is None, "whether it has a truth is told by none"


async def get(attacker: Attacker, path: str) -> str:
    async with attacker.http.get(
        path, headers={"Accept": "text/html, text/csv, application/json"}
    ) as response:
        assert response.status == 200, path
        return await response.text()


async def test_withdrawals_end_with_the_quota(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    few = {"address_submissions_per_day": 3}
    async with attacked(postgres_url, database, tmp_path, **few) as attacker:
        attacker.address = "10.9.9.9"
        file, taken = test_set.file(test_set.pair(0)[0]), 0
        for _ in range(6):
            status, receipt = await attacker.send(file, evaluate_only="true")
            if status == 202:
                taken += 1
                await attacker.withdraw(receipt)
    assert (taken, attacker.refused) == (3, {"submission_quota": 3})


def otherwise(truth: Records) -> Records:
    """The same test set to the public, with the private answers of other samples."""
    shuffled: Records = orjson.loads(orjson.dumps(truth))
    places: dict[tuple[str, str], list[int]] = {}
    for index, record in enumerate(truth):
        if record["qa_type"] != "stg":  # its questions name the times of its answers
            places.setdefault((record["qa_type"], record["data_source"]), []).append(index)
    for indexes in places.values():
        for own, other in zip(indexes, [*indexes[1:], indexes[0]], strict=True):
            shuffled[own]["struc_info"] = truth[other]["struc_info"]
            shuffled[own]["conversations"][1] = truth[other]["conversations"][1]
    return shuffled


async def report(attacker: Attacker, records: Records) -> dict[str, Any]:
    form = aiohttp.FormData({"model_name": "m", "organization": "x"})
    form.add_field("file", gzip.compress(orjson.dumps(records), 1), filename="p.json.gz")
    headers = {"X-Forwarded-For": f"10.8.0.{attacker.sent % 250 + 1}"}
    attacker.sent += 1
    async with attacker.http.post("/api/v1/validate", data=form, headers=headers) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


def searches(test_set: Answers) -> list[Records]:
    """Files whose report once told of the truth: far times, structure, constants, right answers."""
    tal = test_set.places["tal", "AVOS"]
    spans = [
        test_set.file(dict.fromkeys(tal, f"{end}.0-{end + 1}.0 seconds."))
        for end in (10, 100, 300, 1_000, 10_000)
    ]
    indexes = [index for places in test_set.places.values() for index in places]
    right = {index: test_set.answer(index) for index in indexes}
    constant = dict.fromkeys(indexes, test_set.answer(test_set.places["next_action", "AVOS"][0]))
    partly = {index: text[: len(text) // 2] for index, text in right.items()}
    files = [*spans, *(test_set.file(answers) for answers in (right, constant, partly))]
    return files if is_deep() else [spans[-1], files[-1]]


async def test_no_report_depends_on_the_private_answers(
    postgres_url: str, database: Database, tmp_path: Path, test_set: Answers
) -> None:
    async with attacked(postgres_url, database, tmp_path) as attacker:
        files = searches(test_set)
        before = [await report(attacker, file) for file in files]
        truth = gzip.compress(orjson.dumps(otherwise(test_set.records)))
        await store_ground_truth(database, truth, "the same to the public")
        after = [await report(attacker, file) for file in files]
    for one, other in zip(before, after, strict=True):
        assert one.pop("ground_truth_version") != other.pop("ground_truth_version")
        assert distinguishable(flat(one["report"], ()), flat(other["report"], ())) == []
        assert one == other
    assert all(cast(dict[str, Any], one["report"])["tasks"] for one in before)
