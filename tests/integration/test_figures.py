"""The figures about the whole system: right, cheap, and the same for every process."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import orjson
import pytest
from prometheus_client import generate_latest

from medvid.judging.panels import Panel, PanelMember
from services.judge.fleet import Fleet, announce_limits
from services.judge.settings import JudgeSettings
from services.judge.store import announce_judge
from services.judge.versions import add_panel, add_version
from shared.messaging.local import LocalBus
from shared.messaging.topology import QUEUES
from shared.runtime.figures import FiguresSample, Sampler, read_sample
from shared.runtime.metrics import SAMPLED
from shared.storage.database import Database, connect
from tests.batching import add_provider_batch
from tests.fakes.grader import version
from tests.judging import FIGURES, request_run
from tests.patience import HANG_SECONDS
from tests.rows import accept_submission, add_listed_entry


def sampler(database: Database, seconds: float = 10) -> Sampler:
    return Sampler(database, LocalBus(database), seconds)


async def age(database: Database, table: str, column: str, seconds: int) -> None:
    await database.pool.execute(
        f"UPDATE {table} SET {column} = now() - interval '{seconds} s'"  # noqa: S608 - ours
    )


async def test_an_idle_system_has_all_figures_at_zero(database: Database) -> None:
    await sampler(database).refresh()
    figures = (await read_sample(database)).figures
    filled_later = {
        "medvid_dead_letters",
        "medvid_board_age_seconds",
        "medvid_judge_ends_seconds",
        "medvid_judge_member_down",
        "medvid_judge_budget_left_usd",
        "medvid_judge_provider_batches",
        "medvid_judge_replicas_useful",
        "medvid_judge_endpoint_serving",
        "medvid_judge_runs_paused",
        "medvid_stage_typical_seconds",
    }
    assert set(figures) == set(SAMPLED) - filled_later
    of_the_machine = {"medvid_table_bytes"}  # empty tables take room, too
    counted = {name: values for name, values in figures.items() if name not in of_the_machine}
    assert {value for values in counted.values() for value in values.values()} == {0}
    assert set(figures["medvid_queue_depth"]) == {queue.name for queue in QUEUES}
    ages = {"gateway.webhooks", *(queue.name for queue in QUEUES)}
    assert set(figures["medvid_queue_age_seconds"]) == ages


async def test_endpoints_of_a_pool_are_told_by_name(database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO judge_pool_endpoints (name, judge_version, state, why, down, seen_at) VALUES"
        " ('a', 'v', 'serving', NULL, NULL, now()), ('b', 'v', 'drained', 'x', NULL, now()),"
        " ('c', 'v', 'serving', NULL, 'lost', now()),"
        " ('d', 'v', 'serving', NULL, NULL, now() - interval '2 minutes')"
    )
    await sampler(database).refresh()
    figures = (await read_sample(database)).figures
    assert figures["medvid_judge_endpoint_serving"] == {"a": 1, "b": 0, "c": 0}


async def test_what_waits_is_counted_and_its_age_told(database: Database) -> None:
    await accept_submission(database, "One")
    await accept_submission(database, "Two")
    await age(database, "submissions", "changed_at", 60)
    await age(database, "outbox", "created_at", 30)
    await add_listed_entry(database, "Listed", {"cvs_acc": 0.5})
    await database.pool.execute(
        "INSERT INTO dead_letters (queue, message_id, reason, detail, attempts, body)"
        " VALUES ('ranker.boards', gen_random_uuid(), 'x', 'x', 1, '')"
    )
    await sampler(database).refresh()
    sample = await read_sample(database)
    assert sample.value("medvid_submissions_unfinished", "accepted") == 2
    assert sample.value("medvid_submissions_oldest_seconds", "accepted") == pytest.approx(60, abs=5)
    assert sample.value("medvid_queue_age_seconds", "scorer.submissions") == pytest.approx(
        60, abs=5
    )
    assert sample.value("medvid_outbox_waiting") == 2
    assert sample.value("medvid_outbox_lag_seconds") == pytest.approx(30, abs=5)
    assert sample.value("medvid_dead_letters", "ranker.boards") == 1
    behind = sample.value("medvid_board_behind_seconds", "community")
    assert behind is not None
    assert 0 < behind < 10
    assert sample.value("medvid_board_behind_seconds", "official") == 0


async def test_a_refused_message_is_late_from_its_next_attempt_on(database: Database) -> None:
    """One that waits for it calls nobody; but in an outage all are put aside, none at fault."""

    async def lag(first: str) -> float | None:
        await database.pool.execute(
            f"UPDATE outbox SET {first} WHERE position = (SELECT min(position) FROM outbox)"  # noqa: S608 - ours
        )
        await sampler(database, seconds=1e-6).refresh()
        return (await read_sample(database)).value("medvid_outbox_lag_seconds")

    await accept_submission(database, "One")
    await age(database, "outbox", "created_at", 400)
    assert await lag("attempts = 4, retry_at = now() + interval '2 min'") == 0
    assert await lag("retry_at = now() - interval '90 s'") == pytest.approx(90, abs=5)
    waiting_after_an_outage = "attempts = 0, retry_at = now() + interval '2 min'"
    assert await lag(waiting_after_an_outage) == pytest.approx(400, abs=5)
    await accept_submission(database, "Two")
    await age(database, "outbox", "created_at", 500)
    assert await lag("attempts = 4") == pytest.approx(500, abs=5)


async def test_a_board_is_behind_from_its_first_unranked_change_on(database: Database) -> None:
    async def since() -> object:
        return await database.pool.fetchval(
            "SELECT behind_since FROM boards WHERE board = 'official'"
        )

    change = "UPDATE boards SET revision = revision + 1 WHERE board = 'official'"
    await database.pool.execute(change)
    first = await since()
    await database.pool.execute(change)
    assert first is not None
    assert await since() == first
    await database.pool.execute("UPDATE boards SET ranked_revision = 2 WHERE board = 'official'")
    assert await since() is None


async def test_many_processes_take_one_sample(postgres_url: str) -> None:
    async with connect(postgres_url, size=8, application_name="test") as database:
        await accept_submission(database)
        await sampler(database).refresh()
        await accept_submission(database, "Later")
        await asyncio.gather(*(sampler(database).refresh() for _ in range(8)))
        sample = await read_sample(database)
        assert sample.value("medvid_submissions_unfinished", "accepted") == 1
        await asyncio.gather(*(sampler(database, seconds=1e-6).refresh() for _ in range(8)))
        sample = await read_sample(database)
        assert sample.value("medvid_submissions_unfinished", "accepted") == 2


async def test_samples_and_pools_are_exported(database: Database) -> None:
    await accept_submission(database)
    async with database.pool.acquire():
        await sampler(database).refresh()
        text = generate_latest().decode()
    assert 'medvid_submissions_unfinished{state="accepted"} 1.0' in text
    size, in_use = (
        float(re.search(rf"^medvid_pool_{name} (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]
        for name in ("size", "in_use")
    )
    assert size > in_use >= 1


async def test_callers_who_wait_for_a_connection_are_counted(postgres_url: str) -> None:
    async with connect(postgres_url, size=2, application_name="test") as database:
        pool = database.pool
        async with pool.acquire(), pool.acquire():
            waiting = [asyncio.create_task(pool.fetchval("SELECT 1")) for _ in range(3)]
            async with asyncio.timeout(HANG_SECONDS):
                while pool.waiting < 3:
                    await asyncio.sleep(0.01)
        assert await asyncio.gather(*waiting) == [1, 1, 1]
        assert pool.waiting == 0


async def test_no_figure_reads_what_is_finished(database: Database) -> None:
    """Whatever grows for ever is reached through an index of what is unfinished."""
    from shared.storage.queries import load_queries

    sql = load_queries("shared.runtime", "figures.sql")["figures"]
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = orjson.loads(await connection.fetchval(f"EXPLAIN (FORMAT json) {sql}"))
    scanned = set(_relations(plan[0]["Plan"]))
    assert scanned <= {
        "boards", "judge_runs", "judge_batches", "judge_service", "judge_pool_endpoints",
        "judge_replicas", "judge_spending_leases",  # a row for each that lives, and its calls
    }  # fmt: skip


def _relations(node: dict[str, object]) -> list[object]:
    own = [node["Relation Name"]] if node["Node Type"] == "Seq Scan" else []
    children = node.get("Plans", [])
    assert isinstance(children, list)
    return own + [name for child in children for name in _relations(child)]


async def judged_pairs(database: Database, seconds: float, cost_usd: float) -> None:
    """Put down a hundred verdicts that took and cost so much, of 1,000 tokens each."""
    async with database.transaction() as transaction:
        await transaction.connection.execute("SET LOCAL session_replication_role = replica")
        await transaction.connection.execute(
        "INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, detail, raw_reply, model,"
        " prompt_tokens, completion_tokens, latency_ms, attempts, cost_microusd)"
        " SELECT $1, sha256(number::text::bytea), 0, '{3,3,3,3,3}', '', 'R2: 3', 'm', 900, 100,"
        " $2::float8 * 1000, 1, $3::float8 * 1e6"
        "   FROM generate_series(1, 100) AS number",
        version().hash, seconds, cost_usd,
    )  # fmt: skip


async def test_a_backlog_is_what_one_judge_may_work_on_now(database: Database) -> None:
    async def sample() -> FiguresSample:
        return await sample_of(database)

    await announce_judge(database, version(), 1, figures=FIGURES)  # 16 calls at a time
    run_id = await running(database, version().hash, pairs=5000, done=1000)
    found = await sample()
    assert found.value("medvid_judge_backlog_seconds") == 4000 * 2.0 / 16  # as long as none judged
    await judged_pairs(database, seconds=4.0, cost_usd=0.01)
    found = await sample()
    assert found.value("medvid_judge_backlog_seconds") == pytest.approx(4000 * 4.0 / 16)
    assert found.value("medvid_judge_budget_left_usd") is None
    assert found.value("medvid_judge_replicas_useful") is None
    limits = JudgeSettings(judge_requests_per_minute=1200, judge_tokens_per_minute=600_000)
    await announce_limits(database, limits)
    # 10 calls of 1,000 tokens a second, of 4 s each: 40 at a time, of 16 a judge.
    assert (await sample()).value("medvid_judge_replicas_useful") == 3
    capped = JudgeSettings(
        judge_provider="openai", judge_model="m", judge_prices={"m": {"input": 1, "output": 1}},  # type: ignore[dict-item]
        judge_month_cap_usd=21,
    )  # fmt: skip
    await announce_limits(database, capped)
    month = "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')"
    await database.pool.execute(
        f"INSERT INTO judge_spending (scope, spent_microusd) VALUES ('month:' || {month}, 20000000)"  # noqa: S608 - ours
    )
    found = await sample()  # what is left pays for a hundred
    assert found.value("medvid_judge_budget_left_usd") == pytest.approx(1)
    assert found.value("medvid_judge_backlog_seconds") == pytest.approx(100 * 4.0 / 16)
    await database.pool.execute("UPDATE judge_spending SET spent_microusd = 21000000")
    assert (await sample()).value("medvid_judge_backlog_seconds") == 0
    await announce_limits(database, JudgeSettings())
    await pause_run_of(database, run_id)
    assert (await sample()).value("medvid_judge_backlog_seconds") == 0


async def sample_of(database: Database) -> FiguresSample:
    """Take a sample now, and return it."""
    await sampler(database, seconds=1e-6).refresh()
    return await read_sample(database)


async def running(database: Database, judge_version: str, *, pairs: int, done: int) -> UUID:
    """A run that is under way, of which nothing is there but its row."""
    stored = await accept_submission(database, "One")
    run_id = await request_run(database, stored.submission_id)
    async with database.transaction() as transaction:
        await transaction.connection.execute("SET LOCAL session_replication_role = replica")
        await transaction.connection.execute(
            "UPDATE judge_runs SET state = 'running', judge_version = $2, plan = '', items = $3,"
            " items_done = $4 WHERE id = $1",
            run_id, judge_version, pairs, done,
        )  # fmt: skip
    return run_id


async def test_what_no_judge_may_ask_for_is_no_backlog(database: Database) -> None:
    """Pairs that travel in the provider's batches, and those of a panel's judge that is down."""
    one, other = version(), version("other")
    panel = Panel.of([PanelMember.of(each) for each in (one, other)], "mean")
    await announce_judge(database, one, 1, figures=FIGURES)

    async def pairs() -> float:
        found = (await sample_of(database)).value("medvid_judge_backlog_seconds")
        assert found is not None
        return found * 16 / 2.0

    async with database.transaction() as transaction:
        await add_version(transaction, other)
        await add_panel(transaction, panel)
    run_id = await running(database, panel.version, pairs=4000, done=1000)
    batches = "INSERT INTO judge_batches (run_id, member, state) VALUES ($1, $2, $3)"
    lost = [each.judge_version for each in panel.members].index(other.hash)
    for member, state in [(1 - lost, "sent"), (1 - lost, "done"), *[(lost, "planned")] * 2]:
        await database.pool.execute(batches, run_id, member, state)
    assert await pairs() == 3000
    finding = (
        "INSERT INTO judge_provider_findings (judge_version, reason, down_until)"
        " VALUES ($1, 'lost', now())"
    )
    await database.pool.execute(finding, other.hash)
    assert await pairs() == pytest.approx(1000)  # a third of its batches
    await database.pool.execute("DELETE FROM judge_provider_findings")
    await add_provider_batch(database, run_id, "in_progress")
    assert await pairs() == 2999
    await database.pool.execute("UPDATE judge_batches SET state = 'for_provider'")
    assert await pairs() == 0


async def test_what_rates_keep_busy_is_guessed_until_it_is_measured(database: Database) -> None:
    """Else a first run would start all judges, to find that two are of use."""
    await announce_judge(database, version(), 1, figures=FIGURES)  # of 640 tokens beside captions
    await announce_limits(database, JudgeSettings(judge_tokens_per_minute=640 * 60 * 16))
    assert (await sample_of(database)).value("medvid_judge_replicas_useful") == 2


async def pause_run_of(database: Database, run_id: UUID) -> None:
    await database.pool.execute(
        "UPDATE judge_runs SET state = 'paused', reason = 'needs_operator' WHERE id = $1", run_id
    )


async def test_judges_that_live_are_counted(database: Database) -> None:
    for _ in range(3):
        await Fleet().announce(database, 2)
    await database.pool.execute(
        "UPDATE judge_replicas SET seen_at = now() - interval '11 s'"
        " WHERE id = (SELECT min(id::text)::uuid FROM judge_replicas)"
    )
    await sampler(database).refresh()
    assert (await read_sample(database)).value("medvid_judge_replicas") == 2
