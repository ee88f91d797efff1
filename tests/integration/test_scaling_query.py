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


def _query() -> str:
    triggers = yaml.safe_load(_SCALER.read_text())["spec"]["triggers"]
    (query,) = (t["metadata"]["query"] for t in triggers if t["type"] == "postgresql")
    return str(query)


@pytest.mark.parametrize(
    ("state", "reason", "judges"),
    [
        ("queued", "", 1), ("running", "", 1), ("completed", "", 0), ("failed", "told", 0),
        ("paused", "provider_down", 1), ("paused", "bad_replies", 1),
        ("paused", "needs_operator", 0), ("paused", "budget_run", 0), ("paused", "budget_month", 0),
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
