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
        CASE WHEN $1 IN ('paused', 'failed') THEN 'told' END, '', 'abcdef01')
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
    ("state", "judges"),
    [("queued", 1), ("running", 1), ("paused", 1), ("completed", 0), ("failed", 0)],
)
async def test_an_unfinished_run_keeps_one_judge(
    postgres_url: str, state: str, judges: int
) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval(_query()) == 0
        await connection.execute("SET session_replication_role = replica")  # the run alone will do
        for _ in range(3):
            await connection.execute(_RUN, state)
        assert await connection.fetchval(_query()) == judges
        await connection.execute(_REREAD)
        assert await connection.fetchval(_query()) == 1
    finally:
        await connection.close()
