-- name: rescore_waiting
-- The payload may be gone: then the entry fails instead of waiting.
SELECT i.submission_id, i.entry_id, e.board, j.ground_truth_version, s.file_sha256,
       p.content AS payload
  FROM rescore_items i
  JOIN rescore_jobs j ON j.id = i.job_id AND j.state = 'scoring'
  JOIN entries e ON e.id = i.entry_id
  JOIN submissions s ON s.id = i.submission_id
  LEFT JOIN payloads p ON p.submission_id = i.submission_id
 WHERE i.job_id = $1 AND i.entry_id = $2 AND i.state = 'open'

-- name: rescore_job_lock
-- Settling an item locks the job, so that one transaction sees that it was the last.
SELECT state FROM rescore_jobs WHERE id = $1 FOR UPDATE

-- name: rescore_item_scored
UPDATE rescore_items SET state = 'scored', metric_version = $3
 WHERE job_id = $1 AND entry_id = $2 AND state = 'open'

-- name: rescore_item_failed
UPDATE rescore_items SET state = 'failed', failure_code = $3, failure_reason = $4
 WHERE job_id = $1 AND entry_id = $2 AND state = 'open'

-- name: shadow_score_put
INSERT INTO shadow_scores (job_id, entry_id, metric, compat, strict, answered, expected, by_source)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb)
ON CONFLICT (job_id, entry_id, metric) DO UPDATE
   SET compat = EXCLUDED.compat, strict = EXCLUDED.strict, answered = EXCLUDED.answered,
       expected = EXCLUDED.expected, by_source = EXCLUDED.by_source

-- name: shadow_replicates_put
INSERT INTO shadow_replicates (job_id, entry_id, metric, scoring, statistics_version, replicates,
                               interval, by_source)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb)
ON CONFLICT (job_id, entry_id, metric, scoring) DO UPDATE
   SET statistics_version = EXCLUDED.statistics_version, replicates = EXCLUDED.replicates,
       interval = EXCLUDED.interval, by_source = EXCLUDED.by_source

-- name: rescore_finish
-- Once nothing is open and the same code scored everything.
UPDATE rescore_jobs j
   SET state = 'scored',
       metric_version = (SELECT max(metric_version) FROM rescore_items WHERE job_id = j.id)
 WHERE id = $1 AND state = 'scoring'
   AND NOT EXISTS (SELECT FROM rescore_items WHERE job_id = j.id AND state = 'open')
   AND (SELECT count(DISTINCT metric_version) FROM rescore_items WHERE job_id = j.id) <= 1

-- name: rescores_of_other_code
-- While two versions of the code run side by side some entries were scored by one and some by the
-- other; those of another version are scored again. It ends when one version is left.
UPDATE rescore_items i
   SET state = 'open', metric_version = NULL, announced_at = '-infinity'
  FROM rescore_jobs j
 WHERE j.id = i.job_id AND j.state = 'scoring'
   AND i.state = 'scored' AND i.metric_version <> $1
   AND NOT EXISTS (SELECT FROM rescore_items WHERE job_id = j.id AND state = 'open')

-- name: rescores_announce_again
WITH late AS (
    SELECT i.job_id, i.entry_id
      FROM rescore_items i
      JOIN rescore_jobs j ON j.id = i.job_id AND j.state = 'scoring'
     WHERE i.state = 'open' AND i.announced_at < now() - make_interval(secs => $1)
     ORDER BY i.announced_at
     LIMIT 100
       FOR UPDATE OF i SKIP LOCKED)
UPDATE rescore_items AS item SET announced_at = now()
  FROM late
 WHERE (item.job_id, item.entry_id) = (late.job_id, late.entry_id)
RETURNING item.job_id, item.entry_id, item.submission_id

-- name: rescores_unfinished
SELECT id
  FROM rescore_jobs j
 WHERE state = 'scoring'
   AND NOT EXISTS (SELECT FROM rescore_items WHERE job_id = j.id AND state = 'open')
