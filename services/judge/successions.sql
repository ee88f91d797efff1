-- name: runs_missing
-- One for each entry of a job whose submission no other run is at. The judge may have been changed since.
INSERT INTO judge_runs (id, submission_id, requested_by, repeats, job_id)
SELECT gen_random_uuid(), i.submission_id, 'administrator', v.repeats, j.id
  FROM rescore_jobs j
  JOIN rescore_items i ON i.job_id = j.id AND i.state = 'open'
 CROSS JOIN judge_service v
 WHERE j.state = 'judging'
   AND NOT EXISTS (SELECT FROM judge_runs r WHERE r.job_id = j.id AND r.submission_id = i.submission_id)
   AND NOT EXISTS (SELECT FROM judge_runs r
                    WHERE r.submission_id = i.submission_id AND r.state IN ('queued', 'running', 'paused'))
 ORDER BY i.submission_id
ON CONFLICT (submission_id) WHERE state IN ('queued', 'running', 'paused') DO NOTHING
RETURNING id, submission_id

-- name: jobs_judging
SELECT id FROM rescore_jobs WHERE state = 'judging'

-- name: items_failed
-- Those whose run has failed, for whatever reason.
UPDATE rescore_items i
   SET state = 'failed', run_id = r.id, failure_code = r.reason, failure_reason = coalesce(r.detail, r.reason)
  FROM judge_runs r
 WHERE i.job_id = $1 AND i.state = 'open'
   AND r.job_id = i.job_id AND r.submission_id = i.submission_id AND r.state = 'failed'

-- name: item_judged
UPDATE rescore_items
   SET state = 'scored', run_id = $3, metric_version = $4, ground_truth_version = $5, facts = $6::text::jsonb,
       is_confirmed = $7, agreement = $8::text::jsonb
 WHERE job_id = $1 AND entry_id = $2 AND state = 'open'

-- name: agreement
-- Pairs and repeats of a run ($1) that both judges have scored: the new one ($3), and the one that gave the
-- entry's ($2) value in force.
SELECT s.metric, old.sum AS old, new.sum AS new, count(*) AS count
  FROM judge_run_pairs p
  JOIN scores s ON s.entry_id = $2 AND s.metric = ANY (p.metrics) AND s.judge_version <> $3
 CROSS JOIN LATERAL (
       SELECT (SELECT sum(score) FROM unnest(scores) AS score) AS sum
         FROM judge_verdicts
        WHERE judge_version = s.judge_version AND pair = p.pair AND repeat = p.repeat AND scores IS NOT NULL
        LIMIT 1) AS old
 CROSS JOIN LATERAL (
       SELECT (SELECT sum(score) FROM unnest(scores) AS score) AS sum
         FROM judge_verdicts
        WHERE judge_version = $3 AND pair = p.pair AND repeat = p.repeat AND scores IS NOT NULL
        LIMIT 1) AS new
 WHERE p.run_id = $1
 GROUP BY s.metric, old.sum, new.sum
 ORDER BY s.metric, old.sum, new.sum
