"""Re-reading: kept replies, another parser, another judge version; shown first, applied, free."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan
from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from medvid.judging.panels import Panel, PanelMember
from services.judge.rereading import ReplyReader
from services.judge.verdict import Pair, Verdict
from shared.runtime import retention
from shared.runtime.retention import RULES, Pruner, RetentionSettings
from shared.storage.database import Database
from tests.acceptance.administration_harness import WHY, Site, running_site
from tests.depth import deep
from tests.fakes.grader import FakeGrader, graded
from tests.judging import FEW, judging, plan_of, reaches, replica, request_run
from tests.patience import HANG_SECONDS
from tests.rows import Stored, accept_submission, add_listed_entry

SCORE = (
    "metric, compat, strict, answered, expected, by_source, ground_truth_version, metric_version,"
    " file_sha256, judge_version"
)
MARKED = 1
"""So many replies, too few to fail a run, have marks of lists, which only parser 2 reads."""


def script(pair: Pair, _: int) -> Verdict:
    texts = CaptionPair(pair.prediction, pair.reference)
    lines = [f"{aspect}: {score}" for aspect, score in standin.judge(texts).items()]
    verdict = replace(graded(pair), raw_reply="\n".join(lines))
    if texts not in plan_of(FEW).texts[:MARKED]:
        return verdict
    marked = "\n".join(f"- {line}" for line in lines)
    return replace(verdict, scores=None, unscored_reason="malformed", raw_reply=marked)


@dataclass(frozen=True, slots=True)
class Judged:
    """A site with an entry that the judge of parser 1 has judged."""

    site: Site
    database: Database
    entry: Stored
    grader: FakeGrader
    plan: JudgingPlan

    async def start(self, **body: Any) -> dict[str, Any]:
        """Start a job, let a judge read, and wait for its difference."""
        job = await self.site.done("/rereads", **{"parser": "2", **body})
        await ReplyReader(self.database).look()
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                _, detail = await self.site.ask("GET", f"/admin/rereads/{job['id']}")
                if detail["job"]["state"] == "ready":
                    found: dict[str, Any] = detail
                    return found
                await asyncio.sleep(0.02)

    async def scores(self) -> dict[str, tuple[float, str]]:
        rows = await self.database.pool.fetch(
            "SELECT metric, compat, judge_version FROM scores WHERE judge_version IS NOT NULL"
        )
        return {row["metric"]: (row["compat"], row["judge_version"]) for row in rows}

    def expected(self, marked: int) -> dict[str, float | None]:
        """Return the values without the first so many pairs."""
        found = [
            None if place < marked else standin.judge(pair)
            for place, pair in enumerate(self.plan.texts)
        ]
        return {key: score.compat for key, score in aggregate(self.plan, found).items()}


@pytest.fixture
async def judged(database: Database) -> AsyncIterator[Judged]:
    stored = await accept_submission(database, "A model", FEW)
    await database.pool.execute("UPDATE entries SET listed = true")
    grader = FakeGrader(script)
    async with judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "completed", "failed")
    assert (run["state"], run["items_unscored"]) == ("completed", MARKED)
    await database.pool.execute("UPDATE judge_service SET judge_version = $1", grader.version.hash)
    async with running_site(database) as site:
        yield Judged(site, database, stored, grader, plan_of(FEW))


async def packed(database: Database) -> int:
    """Pack the replies to all pairs that have scores; returns how many."""
    for_ever = dict.fromkeys((rule.setting for rule in RULES), 0.0)
    settings = RetentionSettings.model_validate(for_ever | {"pack_text_days": 1e-9})
    return (await Pruner(database, settings).prune())["texts"]


async def test_replies_are_read_again_shown_and_applied_at_no_cost(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 4)
    assert await packed(judged.database) > 0
    old, new = judged.grader.version, replace(judged.grader.version, parser="2")
    calls = judged.grader.calls.total()
    before = await judged.scores()
    assert {metric: value for metric, (value, _) in before.items()} == judged.expected(MARKED)
    detail = await judged.start()
    job = detail["job"]
    assert (job["kind"], job["parser"], job["items"], job["scored"]) == ("reread", "2", 1, 1)
    assert (job["from_judge_version"], job["judge_version"]) == (old.hash, new.hash)
    (row,) = detail["boards"]["community"]["compat"]
    after = judged.expected(0)
    assert {key: (each["before"], each["after"]) for key, each in row["values"].items()} == {
        key: (before[key][0], value) for key, value in after.items() if value != before[key][0]
    }
    assert row["values"]
    assert detail["left_out"] == detail["failures"] == []
    assert await judged.scores() == before  # nothing is in force yet
    path = f"/rereads/{job['id']}/apply"
    assert await judged.site.done(path, preview=job["preview"]) == {"changed": True}
    assert await judged.scores() == {key: (value, new.hash) for key, value in after.items()}
    assert await judged.site.done(path, preview=job["preview"]) == {"changed": False}
    series = "SELECT series FROM boards WHERE board = 'community'"
    assert await judged.database.pool.fetchval(series) == new.hash
    # A run of the new version, which asked for nothing: its verdicts are what owners see.
    path = f"/admin/submissions/{judged.entry.submission_id}/verdicts?page_size=1000"
    _, page = await judged.site.ask("GET", path)
    assert {verdict["state"] for verdict in page["verdicts"]} == {"scored"}
    assert {verdict["cost_usd"] for verdict in page["verdicts"]} == {0.0}
    _, status = await judged.site.ask("GET", f"/submissions/{judged.entry.submission_id}")
    assert status["judging"]["result"]["judge_version"] == new.hash
    assert status["judging"]["result"]["judge"]["parser"] == "2"
    assert judged.grader.calls.total() == calls
    current = await judged.database.pool.fetchval(
        "SELECT count(*) FROM current_replicates WHERE judge_version = $1", new.hash
    )
    assert current == 2 * sum(value is not None for value in after.values())
    lines = {line["action"]: line for line in await judged.site.audit(subject_kind="reread")}
    assert lines["apply_reread"]["after"]["judge_version"] == new.hash
    assert lines["reread"]["why"] == WHY


async def test_a_board_goes_over_with_its_last_value(judged: Judged) -> None:
    """Of a job for some entries the others still rank, and the difference says the same before."""
    pool, old = judged.database.pool, judged.grader.version.hash
    other = await add_listed_entry(judged.database, "Another", {})
    await pool.execute(
        f"INSERT INTO scores (entry_id, {SCORE}) SELECT $1, {SCORE} FROM scores"  # noqa: S608 - ours
        " WHERE judge_version IS NOT NULL",
        other,
    )
    await pool.execute("UPDATE boards SET series = $1, revision = revision + 1", old)
    detail = await judged.start(entries=[str(judged.entry.entry_id)])
    assert detail["left_out"] == [str(other)]
    ranks = {row["model_name"]: row["rank"] for row in detail["boards"]["community"]["compat"]}
    job = detail["job"]
    await judged.site.done(f"/rereads/{job['id']}/apply", preview=job["preview"])
    board = await judged.site.board("community")
    assert {name: row["rank"] for name, row in board.items()} == {
        name: rank["after"] for name, rank in ranks.items()
    }
    series = "SELECT series FROM boards WHERE board = 'community'"
    assert await pool.fetchval(series) == old


@deep
async def test_it_is_dropped_and_goes_back_without_a_trace_on_the_board(judged: Judged) -> None:
    for body, status, code in (
        ({"parser": "1"}, 409, "same_parser"),
        ({"parser": "2", "judge_version": "00000000"}, 404, "judge_version_not_found"),
        ({"parser": "2", "board": "official"}, 409, "nothing_to_reread"),
        ({"parser": "2", "entries": [str(UUID(int=1))]}, 409, "nothing_to_reread"),
        ({"parser": "3"}, 422, "invalid_body"),
        ({}, 422, "invalid_body"),
    ):
        assert await judged.site.refused("/rereads", **body) == (status, code)
    assert await judged.database.pool.fetchval("SELECT count(*) FROM rescore_jobs") == 0
    before = await judged.scores()
    job = (await judged.start())["job"]
    assert await judged.site.refused("/rescores") == (409, "rescore_unfinished")
    assert await judged.site.done(f"/rereads/{job['id']}/discard") == {"changed": True}
    assert await judged.scores() == before
    runs = await judged.database.pool.fetchval("SELECT count(*) FROM judge_runs")
    assert runs == 1
    job = (await judged.start())["job"]  # verdicts are there, and true of their version
    await judged.site.done(f"/rereads/{job['id']}/apply", preview=job["preview"])
    back = (await judged.start(parser="1", judge_version=job["judge_version"]))["job"]
    assert back["judge_version"] == job["from_judge_version"]
    await judged.site.done(f"/rereads/{back['id']}/apply", preview=back["preview"])
    assert await judged.scores() == before


@deep
async def test_replies_of_a_panel_are_not_read_again_and_it_says_so(judged: Judged) -> None:
    panel = Panel.of([PanelMember(judged.grader.version.hash), PanelMember("f" * 64)])
    await judged.database.pool.execute(
        "INSERT INTO judge_versions (hash, facts, is_stub) VALUES ($1, '{}', false)", "f" * 64
    )
    await judged.database.pool.execute(
        "INSERT INTO judge_versions (hash, facts, is_stub) VALUES ($1, $2::text::jsonb, false)",
        panel.version, orjson.dumps(panel.public()).decode(),
    )  # fmt: skip
    body = {"parser": "2", "judge_version": panel.version, "why": WHY}
    status, problem = await judged.site.ask("POST", "/admin/rereads", body)
    assert (status, problem["code"]) == (409, "nothing_to_reread")
    assert "is a panel" in problem["detail"]


@deep
async def test_replies_that_are_not_kept_leave_the_entry_as_it_is(judged: Judged) -> None:
    before = await judged.scores()
    await judged.database.pool.execute("UPDATE judge_verdicts SET raw_reply = NULL")
    detail = await judged.start()
    (failure,) = detail["failures"]
    assert failure["code"] == "too_many_unscored"
    path, preview = f"/rereads/{detail['job']['id']}/apply", detail["job"]["preview"]
    assert await judged.site.refused(path, preview=preview) == (409, "rescore_failures")
    await judged.site.done(path, preview=preview, without_failed=True)
    assert await judged.scores() == before


@deep
async def test_an_entry_that_cannot_be_read_fails_by_name_and_stops_nothing(
    judged: Judged,
) -> None:
    no_plan = gzip.compress(b"{}")
    await judged.database.pool.execute("UPDATE judge_runs SET plan = $1", no_plan)
    (failure,) = (await judged.start())["failures"]
    assert (failure["code"], failure["reason"]) == ("not_readable", "KeyError")
    verdicts = "SELECT count(DISTINCT judge_version) FROM judge_verdicts"
    assert await judged.database.pool.fetchval(verdicts) == 1  # nothing of it is left


@deep
async def test_an_entry_that_was_judged_otherwise_since_is_left_alone(judged: Judged) -> None:
    job = (await judged.start())["job"]
    other = replace(judged.grader.version, model="another")
    await judged.database.pool.execute(
        "INSERT INTO judge_versions VALUES ($1, $2::jsonb, false)",
        other.hash, orjson.dumps(other.public()).decode(),
    )  # fmt: skip
    await judged.database.pool.execute(
        "UPDATE scores SET judge_version = $1 WHERE judge_version IS NOT NULL", other.hash
    )
    await judged.site.done(f"/rereads/{job['id']}/apply", preview=job["preview"])
    assert {version for _, version in (await judged.scores()).values()} == {other.hash}
    assert await judged.database.pool.fetchval("SELECT count(*) FROM judge_runs") == 1
