-- name: job_lock
-- Settling an item locks the job, so that one transaction sees that it was the last.
SELECT state, judge_version FROM rescore_jobs WHERE id = $1 FOR UPDATE

-- name: shadow_score_put
INSERT INTO shadow_scores (job_id, entry_id, metric, compat, strict, answered, expected, by_source)
VALUES ($1, $2, $3, $4, $4, $5, $6, $7::text::jsonb)

-- name: shadow_replicates_put
INSERT INTO shadow_replicates (job_id, entry_id, metric, scoring, statistics_version, replicates,
                               interval, by_source)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb)

-- name: job_finish
UPDATE rescore_jobs j
   SET state = 'scored',
       metric_version = (SELECT max(metric_version) FROM rescore_items WHERE job_id = j.id)
 WHERE id = $1 AND state IN ('reading', 'judging')
   AND NOT EXISTS (SELECT FROM rescore_items WHERE job_id = j.id AND state = 'open')
