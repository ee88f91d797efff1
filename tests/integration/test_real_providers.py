"""Wrong settings and odd providers: what owner and operator read, what it costs, what happens.

The rows of the table in docs/operations.md, and the replies of tests/cases/judge.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson
import pytest

from medvid.benchmark.tasks import ASPECTS
from shared.storage.database import Database
from tests.depth import deep, some_of
from tests.judging import FEW, judging, look_after, reaches, replica, request_run, resume_run
from tests.providers import MODEL, Reply, calling, completion, serving, settles, spent
from tests.rows import accept_submission

A_CALL: Final = 2 * 900 + 8 * 25
"""What a call costs that is billed as the provider tells, in millionths of a dollar."""


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


@dataclass
class Setting:
    """A wrong setting: what the provider replies, and how a run ends up."""

    reply: Reply
    told: str
    """What stands in the run's detail."""
    reason: str = "provider_down"
    most_calls: int = 2
    most_billed: int = 0


WRONG: Final = {
    "key": Setting(Reply(error("Incorrect API key provided"), 401), "MEDVID_JUDGE_API_KEY"),
    "key-400": Setting(Reply.case("reply_gemini_list_error"), "MEDVID_JUDGE_API_KEY"),
    "key-rights": Setting(Reply(error("no"), 403), "allow its project"),
    "credit": Setting(Reply(error("Insufficient Balance"), 402), "no credit left"),
    "credit-400": Setting(Reply.case("reply_credit_gone"), "no credit left"),
    "quota": Setting(Reply.case("reply_quota_in_type"), "quota is used up"),
    "quota-day": Setting(
        Reply(error("Limit of 200 requests per day reached. Try again in 2h."), 429),
        "quota is used up",
    ),
    "model": Setting(Reply(error("The model `x` does not exist"), 404), "MEDVID_JUDGE_MODEL"),
    "model-400": Setting(Reply(error("Model Not Exist"), 400), "MEDVID_JUDGE_MODEL"),
    "address-path": Setting(Reply("404: Not Found", 404), "MEDVID_JUDGE_BASE_URL"),
    "address-page": Setting(Reply("<html><h1>Welcome</h1></html>"), "Welcome"),
    "address-moved": Setting(
        Reply("", 307, headers={"Location": "http://127.0.0.1/"}), "MEDVID_JUDGE_BASE_URL"
    ),
    "streams": Setting(
        Reply('data: {"object": "chat.completion.chunk", "choices": []}\n\ndata: [DONE]\n\n'),
        "turn streaming off",
        most_calls=1,
        most_billed=3,  # the estimate, as nobody tells what it cost
    ),
    "parameter": Setting(
        Reply(error("Use 'max_completion_tokens' instead.", param="max_tokens"), 400),
        "MEDVID_JUDGE_TOKEN_PARAMETER=max_completion_tokens",
    ),
    "temperature": Setting(
        Reply(error("temperature does not support 0.0 with this model"), 400),
        "MEDVID_JUDGE_TEMPERATURE",
    ),
    "another-model": Setting(
        Reply(completion("x", model="openai/model-1")),
        "MEDVID_JUDGE_MODEL_PREFIX=openai/model-1",
        most_calls=3,
        most_billed=3,
    ),
    "unexplained": Setting(
        Reply(error("req_1 failed"), 400), "refused alike, so by a setting", most_calls=24
    ),
    "throttled": Setting(
        Reply(error("slow down"), 429, headers={"Retry-After": "300"}),
        "takes no call for minutes",
        most_calls=30,
    ),
    "failing": Setting(Reply("upstream timed out", 503), "503", most_calls=30),
    "error-in-200": Setting(
        Reply({"error": {"message": "Provider returned error", "code": 503}}), "503", most_calls=30
    ),
    "too-few-tokens": Setting(
        Reply(completion("{", finish_reason="length")),
        "MEDVID_JUDGE_MAX_TOKENS",
        reason="needs_operator",
        most_calls=60,
        most_billed=60,
    ),
    "no-verdicts": Setting(
        Reply(completion("The candidate is fine.")),
        "MEDVID_JUDGE_REPLY_FORM",
        reason="needs_operator",
        most_calls=60,
        most_billed=60,
    ),
}


@pytest.mark.parametrize("name", some_of(WRONG, "key", "quota", "no-verdicts"))
async def test_a_wrong_setting_pauses_with_its_cause_and_costs_little(
    database: Database, name: str
) -> None:
    wrong = WRONG[name]
    async with serving(wrong.reply) as provider:
        seconds = 60 if wrong.reason == "provider_down" else 0
        run = await settles(database, provider.url, held_seconds=seconds)
    assert (run["state"], run["reason"]) == ("paused", wrong.reason), run["detail"]
    assert wrong.told in run["detail"]
    assert provider.calls <= wrong.most_calls
    assert await spent(database) <= wrong.most_billed * A_CALL


@pytest.mark.parametrize(
    "name",
    some_of(("key-400", "quota", "credit-400", "model-400", "quota-day"), "key-400"),
)
async def test_what_is_gone_in_the_middle_stops_at_once_and_loses_nothing(
    database: Database, name: str
) -> None:
    """After 20 verdicts every call is refused: those stay, and one real call decides."""
    stored = await accept_submission(database, payload=FEW)
    async with serving() as provider, calling(database, provider.url) as grader:
        one = replica(database, grader)
        async with judging(database, [one]):
            run_id = await request_run(database, stored.submission_id)
            await _verdicts(database, 20)
            provider.reply = WRONG[name].reply
            run = await reaches(database, run_id, "paused", "completed", "failed")
        assert (run["state"], run["reason"]) == ("paused", "provider_down")
        assert WRONG[name].told in run["detail"]
        refused = provider.told
        assert refused <= 9  # those under way
        for number in range(1, 4):
            await _due(database)
            await look_after(database, one)
            assert provider.told == refused + number
        still = await reaches(database, run_id, "paused")
        assert still["changed_at"] == run["changed_at"]
        provider.reply = None
        await _due(database)
        await look_after(database, one)
        async with judging(database, [one]):
            run = await reaches(database, run_id, "completed", "failed")
    assert (run["state"], run["items_unscored"]) == ("completed", 0)
    assert provider.calls == run["items"] + provider.told
    assert await spent(database) == run["items"] * A_CALL


async def _due(database: Database) -> None:
    """Let the time pass after which the provider is asked again."""
    await database.pool.execute("UPDATE judge_provider_findings SET down_until = now()")


async def _verdicts(database: Database, count: int) -> None:
    query = "SELECT count(*) FROM judge_verdicts WHERE scores IS NOT NULL"
    while await database.pool.fetchval(query) < count:
        await asyncio.sleep(0.001)


ODD: Final = {
    "reply_content_parts": A_CALL,
    "reply_reasoning_outside_completion": 2 * 900 + 8 * 2025,
    "reply_schema_422_detail": A_CALL,
    "reply_schema_param_only": A_CALL,
    "reply_gemini_list_schema": A_CALL,
    "reply_usage_not_object": None,
}


@pytest.mark.parametrize("name", some_of(ODD, "reply_content_parts", "reply_schema_param_only"))
async def test_odd_replies_are_read_and_billed_as_they_should(
    database: Database, name: str
) -> None:
    async with serving(Reply.case(name)) as provider:
        run = await settles(database, provider.url)
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    form = "lines" if "schema" in name else "schema"
    assert run["reply_form"] == form
    assert provider.calls == run["items"] + (1 if form == "lines" else 0)
    cost = ODD[name]
    assert run["cost_estimated"] is (cost is None)
    if cost is not None:
        assert await spent(database) == run["items"] * cost
    else:
        assert await spent(database) > run["items"] * A_CALL / 2


async def test_faults_now_and_then_cost_nothing_and_change_nothing(database: Database) -> None:
    async with serving(Reply.case("reply_200_error_429", every=5)) as provider:
        run = await settles(database, provider.url)
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    assert await spent(database) == run["items"] * A_CALL
    attempts = await database.pool.fetchval("SELECT sum(attempts) FROM judge_verdicts")
    assert attempts == provider.calls == run["items"] + provider.told


async def test_the_form_is_found_once_for_all_replicas(database: Database) -> None:
    async with serving(Reply.case("reply_schema_param_only")) as provider:
        await settles(database, provider.url)
        assert provider.forms.count("schema") == 1
        async with calling(database, provider.url) as another:
            assert another.shared_form is not None
            assert await another.shared_form.load() is not None
    row = await database.pool.fetchrow("SELECT * FROM judge_endpoints")
    assert row is not None
    assert row["reply_form"] == "lines"
    assert "Unsupported parameter." in row["decided_by"]
    forms = await database.pool.fetch("SELECT DISTINCT reply_form FROM judge_verdicts")
    assert [one["reply_form"] for one in forms] == ["lines"]


async def test_a_run_that_wasted_too_much_waits_for_a_person_who_is_believed(
    database: Database,
) -> None:
    stored = await accept_submission(database, payload=FEW)
    async with (
        serving(Reply(completion("{", finish_reason="length"))) as provider,
        calling(database, provider.url, held_seconds=0) as grader,
    ):
        one = replica(database, grader)
        async with judging(database, [one]):
            run_id = await request_run(database, stored.submission_id)
            run = await reaches(database, run_id, "paused")
            while run["reason"] == "bad_replies":
                await resume_run(database, run_id)
                run = await reaches(database, run_id, "paused")
        assert run["reason"] == "needs_operator"
        assert "truncated" in run["detail"]
        run = await reaches(database, run_id, "paused")
        assert orjson.loads(run["wasted_reasons"])["truncated"] == run["wasted_calls"] > 20
        # With what calls that were under way when it stopped still added.
        assert run["detail"].startswith(f"{run['wasted_calls']} calls were billed")
        assert f"truncated {run['wasted_calls']}." in run["detail"]
        assert run["wasted_microusd"] == run["wasted_calls"] * A_CALL
        await database.pool.execute("UPDATE judge_runs SET changed_at = '2020-01-01'")
        before = provider.calls
        await look_after(database, one)  # no machine goes on
        assert provider.calls == before
        provider.reply = None
        async with judging(database, [one]):
            await resume_run(database, run_id)
            run = await reaches(database, run_id, "completed", "failed", "paused")
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]


@deep
async def test_a_resumed_run_asks_for_one_pair_until_it_gets_a_verdict(database: Database) -> None:
    stored = await accept_submission(database, payload=FEW)
    async with (
        serving(Reply(error("Incorrect API key provided"), 401)) as provider,
        calling(database, provider.url, held_seconds=0) as grader,
    ):
        one = replica(database, grader)
        async with judging(database, [one]):
            run_id = await request_run(database, stored.submission_id)
            await reaches(database, run_id, "paused")
        before = provider.calls  # of a replica that is closed: none is under way
        async with judging(database, [one]):
            for number in range(1, 4):
                await resume_run(database, run_id)
                await reaches(database, run_id, "paused")
                assert provider.calls <= before + number
            provider.reply = None
            await resume_run(database, run_id)
            await reaches(database, run_id, "completed")
    sizes = await database.pool.fetch(
        "SELECT count(*) FROM judge_run_pairs WHERE run_id = $1"
        " GROUP BY batch_id ORDER BY batch_id",
        run_id,
    )
    assert sizes[0]["count"] == 1
    assert sizes[1]["count"] > 1


@pytest.mark.parametrize(
    ("reply", "prefix", "confirmed"),
    [
        pytest.param(Reply(completion("x")), None, True, marks=deep),
        (Reply(completion("x", model=f"gateway/{MODEL}")), "gateway/", False),
        pytest.param(
            Reply(completion("x"), headers={"x-litellm-attempted-fallbacks": "1"}),
            None,
            False,
            marks=deep,
        ),
        pytest.param(
            Reply(completion("x"), headers={"x-litellm-model-group": "stub"}),
            None,
            False,
            marks=deep,
        ),
    ],
)
async def test_a_model_that_may_be_another_leaves_a_badge_and_stays_off_the_official_board(
    database: Database, reply: Reply, prefix: str | None, confirmed: bool
) -> None:
    reply.body = reply.body | completion("\n".join(f"{one}: 4" for one in ASPECTS),
                                         model=reply.body["model"])  # fmt: skip
    async with serving(reply) as provider:
        run = await settles(database, provider.url, prefix=prefix)
    assert run["state"] == "completed", run["detail"]
    (badges,) = [row["badges"] for row in await database.pool.fetch("SELECT badges FROM entries")]
    assert ("judge_unconfirmed" in badges) is not confirmed
    promote = "UPDATE entries SET board = 'official'"
    if confirmed:
        await database.pool.execute(promote)
    else:
        with pytest.raises(asyncpg.CheckViolationError, match="not confirmed"):
            await database.pool.execute(promote)
