-- name: judge_now
SELECT s.judge_version, v.is_stub
  FROM judge_service s
  LEFT JOIN judge_versions v ON v.hash = s.judge_version

-- name: run_latest
SELECT id, state, reason, detail, judge_version, requested_by, repeats, estimate::text AS estimate,
       items, items_cached, items_done, items_unscored, created_at, changed_at, reply_form,
       cost_estimated, wasted_calls, wasted_microusd, wasted_reasons::text AS wasted_reasons,
       coalesce((SELECT spent_microusd FROM judge_spending WHERE scope = 'run:' || judge_runs.id), 0)
           AS spent_microusd
  FROM judge_runs
 WHERE submission_id = $1
 ORDER BY created_at DESC
 LIMIT 1

-- name: run_find
SELECT id, state, reason, detail, judge_version, requested_by, repeats, estimate::text AS estimate,
       items, items_cached, items_done, items_unscored, created_at, changed_at, reply_form,
       cost_estimated, wasted_calls, wasted_microusd, wasted_reasons::text AS wasted_reasons,
       coalesce((SELECT spent_microusd FROM judge_spending WHERE scope = 'run:' || judge_runs.id), 0)
           AS spent_microusd
  FROM judge_runs
 WHERE id = $1

-- name: result_latest
SELECT r.run_id, r.judge_version, r.facts::text AS facts, v.facts::text AS judge, v.is_stub,
       r.completed_at,
       (SELECT report || jsonb_build_object('at', created_at)
          FROM judge_calibrations
         WHERE judge_version = r.judge_version
         ORDER BY id DESC
         LIMIT 1)::text AS calibration
  FROM judge_results r
  JOIN judge_versions v ON v.hash = r.judge_version
 WHERE r.submission_id = $1
 ORDER BY r.completed_at DESC
 LIMIT 1

-- name: run_add
INSERT INTO judge_runs (id, submission_id, requested_by, repeats)
SELECT $1, $2, $3, repeats FROM judge_service

-- name: run_requeue
UPDATE judge_runs
   SET state = 'queued', reason = NULL, detail = NULL, requested_by = $3, announced_at = now(),
       estimate = NULL
 WHERE id = $1 AND state = $2

-- name: run_pause
UPDATE judge_runs SET state = 'paused', reason = 'administrator', detail = $2
 WHERE id = $1 AND state IN ('queued', 'running')

-- name: items_per_second
-- Over the last minute of progress; null while there is too little of it.
SELECT (max(done) - min(done)) / nullif(extract(epoch FROM now() - min(at)), 0)::float8
  FROM (SELECT (data ->> 'items_done')::integer AS done, at
          FROM submission_events
         WHERE submission_id = $1 AND kind IN ('progress', 'judging')
           AND data ->> 'run_id' = $2::uuid::text AND data ->> 'state' IS DISTINCT FROM 'queued'
           AND at > now() - interval '1 minute') AS lately
HAVING count(*) > 1

-- name: verdicts_page
-- The reference and the raw reply, which may quote it, are not among the columns.
SELECT p.ordinal, p.repeat, p.metrics, p.uses, t.prediction, v.scores, v.unscored, v.model,
       v.prompt_tokens, v.completion_tokens, v.latency_ms, v.attempts, v.cost_microusd, v.judged_at,
       count(*) OVER () AS total
  FROM judge_run_pairs p
  JOIN judge_pairs t ON t.sha256 = p.pair
  LEFT JOIN LATERAL (      -- one probe of the primary key, however old the statistics are
       SELECT *
         FROM judge_verdicts
        WHERE judge_version = $2 AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v ON true
 WHERE p.run_id = $1
   AND ($3::text IS NULL OR $3 = ANY (p.metrics))
   AND CASE $4::text
            WHEN 'scored' THEN v.scores IS NOT NULL
            WHEN 'unscored' THEN v.unscored IS NOT NULL
            WHEN 'open' THEN v.pair IS NULL
            ELSE true
       END
 ORDER BY p.ordinal, p.repeat
 LIMIT $5 OFFSET $6
