"""Looking at verdicts: filters and order of the API and the page, and what sources they name."""

from __future__ import annotations

import csv
import gzip
import html
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson

from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.tasks import ASPECTS
from medvid.judging.calls import Usage
from services.judge.verdict import Pair, Verdict
from shared.storage.database import Database
from tests.acceptance.admin_browser import Browser
from tests.acceptance.gateway_harness import Gateway, ground_truth
from tests.acceptance.test_judging_api import ADMIN, api, judged, post, submitted
from tests.depth import deep
from tests.fakes.grader import FakeGrader, graded

BEST, WORST, UNSCORED = "Everything is right.", "An <b>odd</b> caption.", "No verdict on this one."
REASON = "The reference says: <script>alert('clip')</script> & more."
LONG = "\\201 \\ \0 é 腔 ü" * 10
"""140 characters with escapes, NUL and letters of several bytes."""


def file() -> bytes:
    """A submission whose summaries say what a test wants."""
    records = [
        {"id": sample.id, "qa_type": sample.qa_type, "prediction": f"a {sample.index}"}
        for sample in load_ground_truth(ground_truth()).samples
    ]
    summaries = [each for each in records if each["qa_type"].startswith("video_summary")]
    for record, text in zip(summaries, (BEST, WORST, UNSCORED, LONG), strict=False):
        record["prediction"] = text
    return gzip.compress(orjson.dumps(records))


def script(pair: Pair, _: int) -> Verdict | None:
    scores = {BEST: (5, 5, 5, 5, 5), WORST: (1, 5, 1, 1, 1)}.get(pair.prediction, (4, 2, 4, 4, 4))
    given = dict(zip(ASPECTS, scores, strict=True))
    verdict = graded(pair)
    model = "another-1" if pair.prediction == BEST else verdict.model
    return Verdict(given, None, "", "R2: ...", model, 0.01, 1, 3, Usage(10, 5))


class Reader:
    """The owner of a judged submission."""

    def __init__(self, gateway: Gateway, submission: str, owner: Mapping[str, str]) -> None:
        self.gateway, self.submission, self.owner = gateway, submission, owner

    async def verdicts(self, query: str = "") -> list[dict[str, Any]]:
        path = f"/api/v1/submissions/{self.submission}/verdicts?page_size=1000&{query}"
        status, _, body = await self.gateway.get(path, **self.owner)
        page = orjson.loads(body)
        assert status == 200, page
        assert page["total"] == len(page["verdicts"])
        found: list[dict[str, Any]] = page["verdicts"]
        return found

    async def predictions(self, query: str) -> list[str]:
        return [verdict["prediction"] for verdict in await self.verdicts(query)]

    async def page(self, query: str = "") -> tuple[int, str]:
        path = f"/submissions/{self.submission}/verdicts?{query}"
        status, _, body = await self.gateway.get(path, **self.owner)
        return status, html.unescape(body.decode())


@asynccontextmanager
async def reading(database: Database, reason: str | None = None) -> AsyncIterator[Reader]:
    def explained(pair: Pair, repeat: int) -> Verdict | None:
        verdict = script(pair, repeat)
        return replace(verdict, rationale=reason) if verdict else None

    async with api(database, FakeGrader(explained)) as (gateway, _):
        submission, owner = await submitted(gateway, file())
        await post(gateway, f"{submission}/judge", owner)
        await judged(gateway, submission)
        # A run of so few pairs does not complete with one that has no verdict.
        await database.pool.execute(
            "UPDATE judge_verdicts SET scores = NULL, unscored = 'malformed', raw_reply = '???',"
            "       rationale = NULL"
            "  FROM judge_pairs WHERE sha256 = pair AND prediction = $1",
            UNSCORED.encode(),
        )
        yield Reader(gateway, submission, owner)


async def test_the_worst_come_first_by_the_mean_or_by_an_aspect(database: Database) -> None:
    async with reading(database) as reader:
        everything = await reader.verdicts()
        assert [(v["pair"], v["repeat"]) for v in everything] == sorted(
            (v["pair"], v["repeat"]) for v in everything
        )
        worst = await reader.verdicts("order=worst")
        assert (worst[0]["prediction"], worst[0]["mean"]) == (WORST, 1.8)
        assert (worst[-2]["prediction"], worst[-2]["mean"]) == (BEST, 5)
        assert (worst[-1]["prediction"], worst[-1]["mean"]) == (UNSCORED, None)
        by_aspect = await reader.verdicts("order=worst&aspect=R4")
        assert by_aspect[0]["scores"]["R4"] == 2
        assert {v["prediction"] for v in by_aspect[-3:-1]} == {BEST, WORST}
        assert sorted(v["pair"] for v in worst) == [v["pair"] for v in everything]


@deep
async def test_filters_choose_by_score_model_length_and_state(database: Database) -> None:
    async with reading(database) as reader:
        total = len(await reader.verdicts())
        assert await reader.predictions("at_most=2") == [WORST]
        assert len(await reader.verdicts("at_most=3&aspect=R4")) == total - 3
        assert await reader.predictions("model=another-1") == [BEST]
        assert await reader.predictions("state=unscored") == [UNSCORED]
        assert await reader.predictions("metric=dvc_llm&model=another-1") == []
        assert await reader.verdicts("cut=true") == []  # this judge takes captions whole
        longest = "UPDATE judge_versions SET facts = facts || $1::jsonb"
        for limit, expected in ((len(LONG), []), (len(LONG) - 1, [LONG])):
            limits = orjson.dumps({"max_caption_characters": limit}).decode()
            await database.pool.execute(longest, limits)
            assert await reader.predictions("cut=true") == expected
            assert len(await reader.verdicts("cut=false")) == total - len(expected)
        for query in ("aspect=R3", "at_most=6", "at_most=0", "cut=1", "order=best", "source=%00"):
            path = f"/api/v1/submissions/{reader.submission}/verdicts?{query}"
            status, _, _ = await reader.gateway.get(path, **reader.owner)
            assert status == 400, query


@deep
async def test_sources_are_named_as_far_as_their_values_are_shown(database: Database) -> None:
    """Else a source's mean, and how many of its captions matched, could be read from verdicts."""
    async with reading(database) as reader:
        stored = await database.pool.fetch("SELECT ordinal, sources FROM judge_run_pairs")
        sources_of = {row["ordinal"]: list(row["sources"]) for row in stored}
        names = sorted({source for sources in sources_of.values() for source in sources})
        assert len(names) > 3
        # Of so small a test set no source is shown.
        assert all(verdict["sources"] == [] for verdict in await reader.verdicts())
        assert await reader.verdicts(f"source={names[0]}") == []
        await _answered(database, dict.fromkeys(names, 40))
        for verdict in await reader.verdicts():
            assert verdict["sources"] == sources_of[verdict["pair"]] != []
        for name in names:
            found = await reader.verdicts(f"source={name}")
            assert {v["pair"] for v in found} == {
                ordinal for ordinal, sources in sources_of.items() if name in sources
            }
        # One of too few answers is withheld, and the next with it: else it could be subtracted.
        await _answered(database, {name: 40 + at for at, name in enumerate(names)} | {names[1]: 9})
        _, page = await reader.page()
        hidden, shown = {names[0], names[1]}, set(names[2:])
        assert {s for v in await reader.verdicts() for s in v["sources"]} == shown
        for name in hidden:
            assert await reader.verdicts(f"source={name}") == []
            assert f'<option value="{name}"' not in page
        for name in shown:
            assert f'<option value="{name}"' in page


async def _answered(database: Database, counts: Mapping[str, int]) -> None:
    parts = {
        name: {"compat": 3.0, "pairs": count, "scored": count, "samples": count}
        for name, count in counts.items()
    }
    await database.pool.execute(
        "UPDATE scores SET answered = 400, expected = 400, by_source = $1::jsonb"
        " WHERE judge_version IS NOT NULL",
        orjson.dumps(parts).decode(),
    )


async def test_the_page_shows_the_worst_first_to_the_owner_alone(database: Database) -> None:
    async with reading(database) as reader:
        status, page = await reader.page()
        assert status == 200
        assert page.index(WORST) < page.index(BEST) < page.index(UNSCORED)
        assert "<b>odd" in page  # escaped: `page` reads entities as a browser does
        _, page = await reader.page("metric=&aspect=R8&at_most=1&source=&state=scored&order=pair")
        assert WORST in page
        assert BEST not in page
        _, first = await reader.page("page_size=2&order=pair")
        _, second = await reader.page("page_size=2&order=pair&page=2")
        assert "page 1 of 7" in first
        assert BEST in first
        assert BEST not in second
        assert "page=2" in first
        _, page = await reader.page("state=unscored")
        assert UNSCORED in page
        assert "No verdict: malformed" in page
        assert "???" not in page
        _, page = await reader.page("state=unscored&metric=dvc_llm")
        assert "No caption fits" in page
        status, _ = await reader.page("aspect=R3")
        assert status == 400
        path = f"/submissions/{reader.submission}/verdicts"
        for headers, expected in (({}, 200), ({"Authorization": "Bearer mvb_wrong"}, 401)):
            status, _, body = await reader.gateway.get(path, **headers)
            assert status == expected
            assert WORST not in html.unescape(body.decode())
            assert b"owner token" in body
        status, _, _ = await reader.gateway.get(f"/submissions/{'0' * 32}/verdicts")
        assert status == 404


async def test_administrators_alone_read_the_judges_reasons(database: Database) -> None:
    async with reading(database, reason=REASON) as reader:
        submission, gateway = reader.submission, reader.gateway
        path = f"/api/v1/admin/submissions/{submission}/verdicts"
        key = {"Authorization": f"Bearer {ADMIN}"}
        _, _, body = await gateway.get(f"{path}?page_size=1000", **key)
        found = orjson.loads(body)["verdicts"]
        reasons = {verdict["prediction"]: verdict.pop("rationale") for verdict in found}
        assert (reasons.pop(UNSCORED), set(reasons.values())) == (None, {REASON})
        assert found == await reader.verdicts()  # which has no such field
        _, _, body = await gateway.get(f"{path}?format=csv&at_most=2", **key)
        assert REASON in next(csv.DictReader(io.StringIO(body.decode())))["rationale"]
        browser = Browser(gateway)
        assert await browser.sign_in(ADMIN) == 303
        status, page = await browser.get(f"/admin/submissions/{submission}/verdicts?at_most=2")
        assert status == 200
        assert "&lt;script&gt;alert(" in page
        assert "<script>alert(" not in page
        assert REASON in html.unescape(page)
        assert REASON not in (await reader.page())[1]
        for headers in (reader.owner, {}, {"Authorization": "Bearer mvb_wrong"}):
            status, _, body = await gateway.get(path, **headers)
            assert status in (401, 403)
            assert b"script" not in body
        for unknown, expected in (("0" * 32, 404), ("17", 404)):
            assert (await gateway.get(path.replace(submission, unknown), **key))[0] == expected
            page_of = f"/admin/submissions/{unknown}/verdicts"
            assert (await browser.get(page_of))[0] == expected
        assert (await browser.get(f"/admin/submissions/{submission}/verdicts?at_most=9"))[0] == 400


async def test_before_a_run_there_is_nothing_to_show(database: Database) -> None:
    async with api(database) as (gateway, _):
        submission, owner = await submitted(gateway)
        status, page = await Reader(gateway, submission, owner).page()
        assert status == 404
        assert "never judged" in page
        browser = Browser(gateway)
        await browser.sign_in(ADMIN)
        status, page = await browser.get(f"/admin/submissions/{submission}/verdicts")
        assert status == 200
        assert "Never judged" in page
