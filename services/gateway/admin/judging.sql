-- name: judging_state
SELECT held_at, held_why,
       (SELECT json_object_agg(state, runs)::text
          FROM (SELECT state, count(*) AS runs FROM judge_runs GROUP BY state) AS counted) AS runs
  FROM judge_service

-- name: judging_hold
UPDATE judge_service SET held_at = now(), held_why = $1 WHERE held_at IS NULL

-- name: judging_release
UPDATE judge_service SET held_at = NULL, held_why = NULL WHERE held_at IS NOT NULL

-- name: runs_hold
UPDATE judge_runs
   SET state = 'paused', reason = 'judging_held',
       detail = 'judging is paused; the run continues when it is resumed.'
 WHERE id IN (SELECT id FROM judge_runs WHERE state IN ('queued', 'running') ORDER BY id FOR UPDATE)
RETURNING id, submission_id

-- name: runs_release
UPDATE judge_runs
   SET state = 'queued', reason = NULL, detail = NULL, announced_at = now()
 WHERE id IN (SELECT id FROM judge_runs
               WHERE state = 'paused' AND reason = 'judging_held' ORDER BY id FOR UPDATE)
RETURNING id, submission_id
