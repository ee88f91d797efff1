"""What the judge's scaler asks the database, asked of the real schema."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
import yaml

_SCALER = Path(__file__).parents[2] / "deploy" / "k8s" / "scaling" / "judge.yaml"
_RUN = """
INSERT INTO judge_runs (id, submission_id, state, requested_by, reason, plan, judge_version)
VALUES (gen_random_uuid(), gen_random_uuid(), $1, 'owner',
        CASE WHEN $1 IN ('paused', 'failed') THEN $2 END, '', 'abcdef01')
"""

_REREAD = """
INSERT INTO rescore_jobs (id, kind, state, ground_truth_version, judge_version, from_judge_version,
                          requested_by, why)
VALUES (gen_random_uuid(), 'reread', 'reading', repeat('0', 64), 'abcdef02', 'abcdef01', 'x', 'y')
"""

_SUCCESSION = """
INSERT INTO rescore_jobs (id, kind, state, ground_truth_version, judge_version, requested_by, why)
VALUES (gen_random_uuid(), 'succession', 'judging', repeat('0', 64), 'abcdef02', 'x', 'y')
"""


def _query() -> str:
    triggers = yaml.safe_load(_SCALER.read_text())["spec"]["triggers"]
    (query,) = (t["metadata"]["query"] for t in triggers if t["type"] == "postgresql")
    return str(query)


@pytest.mark.parametrize(
    ("state", "reason", "judges"),
    [
        ("queued", "", 1), ("running", "", 1), ("completed", "", 0), ("failed", "told", 0),
        ("paused", "provider_down", 1), ("paused", "bad_replies", 1), ("paused", "other_judge", 1),
        ("paused", "needs_operator", 0), ("paused", "budget_run", 0), ("paused", "budget_month", 0),
        ("paused", "administrator", 0), ("paused", "judging_held", 0),
    ],
)  # fmt: skip
async def test_a_run_that_a_judge_can_move_on_keeps_one(
    postgres_url: str, state: str, reason: str, judges: int
) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval(_query()) == 0
        await connection.execute("SET session_replication_role = replica")  # the run alone will do
        for _ in range(3):
            await connection.execute(_RUN, state, reason)
        assert await connection.fetchval(_query()) == judges
        if reason == "budget_month":  # with another month comes another budget
            await connection.execute(
                "UPDATE judge_runs SET changed_at = now() - interval '32 days'"
            )
            assert await connection.fetchval(_query()) == 1
            await connection.execute("DELETE FROM judge_runs")
        await connection.execute(_REREAD)
        assert await connection.fetchval(_query()) == 1
    finally:
        await connection.close()


async def test_what_only_a_judge_sees_keeps_one(postgres_url: str) -> None:
    """A job's entry whose run is missing, and a value without a panel's judge that was down."""
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_SUCCESSION)
        await connection.execute(
            "INSERT INTO rescore_items (job_id, entry_id, submission_id)"
            " SELECT id, gen_random_uuid(), gen_random_uuid() FROM rescore_jobs"
        )
        assert await connection.fetchval(_query()) == 1
        await connection.execute(_RUN, "paused", "judging_held")
        await connection.execute(
            "UPDATE judge_runs SET submission_id = (SELECT submission_id FROM rescore_items)"
        )
        assert await connection.fetchval(_query()) == 0
        await connection.execute("UPDATE judge_runs SET state = 'completed', reason = NULL")
        await connection.execute("DELETE FROM rescore_items")
        await connection.execute(
            "UPDATE judge_service SET judge_version = 'panel', off_reason = NULL"
        )
        await connection.execute(
            "INSERT INTO judge_results"
            " (run_id, submission_id, judge_version, facts, wanted_version)"
            " SELECT id, submission_id, judge_version, '{}', 'panel' FROM judge_runs"
        )
        assert await connection.fetchval(_query()) == 0  # of no entry that is there
        await connection.execute(
            "INSERT INTO entries (id, submission_id, board, model_name, name_key, organization,"
            " submitted_on, listed) SELECT gen_random_uuid(), submission_id, 'community', 'A', 'a',"
            " 'Us', now(), true FROM judge_runs"
        )
        assert await connection.fetchval(_query()) == 1
        await connection.execute(_RUN, "failed", "told")  # asked for once, in vain
        await connection.execute(
            "UPDATE judge_runs SET created_at = now() + interval '1 s',"
            " submission_id = (SELECT submission_id FROM judge_results) WHERE state = 'failed'"
        )
        assert await connection.fetchval(_query()) == 0
    finally:
        await connection.close()
