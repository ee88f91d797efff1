-- name: rescore_add
INSERT INTO rescore_jobs (id, ground_truth_version, requested_by, why) VALUES ($1, $2, $3, $4)

-- name: rescore_items_add
-- Every listed entry of a submission whose file is kept; of one board or some entries, if asked.
INSERT INTO rescore_items (job_id, entry_id, submission_id)
SELECT $1, e.id, e.submission_id
  FROM entries e
 WHERE e.listed AND e.removed_at IS NULL
   AND ($2::text IS NULL OR e.board = $2)
   AND ($3::uuid[] IS NULL OR e.id = ANY ($3))
   AND EXISTS (SELECT FROM payloads p WHERE p.submission_id = e.submission_id)
 ORDER BY e.id
RETURNING entry_id, submission_id

-- name: rescore_jobs_page
SELECT j.id, j.kind, j.ground_truth_version, j.judge_version, j.from_judge_version,
       v.facts ->> 'parser' AS parser, j.state, j.metric_version, j.requested_by, j.why,
       j.preview_number, j.previewed::text AS previewed, j.created_at, j.changed_at,
       (SELECT count(*) FROM rescore_items i WHERE i.job_id = j.id) AS items,
       (SELECT count(*) FROM rescore_items i WHERE i.job_id = j.id AND i.state = 'scored') AS scored,
       (SELECT count(*) FROM rescore_items i WHERE i.job_id = j.id AND i.state = 'failed') AS failed
  FROM rescore_jobs j
  LEFT JOIN judge_versions v ON v.hash = j.judge_version
 WHERE ($1::uuid IS NULL OR j.id = $1)
   AND ($5::text IS NULL OR j.kind = $5)
   AND ($2::timestamptz IS NULL OR (j.created_at, j.id) < ($2, $3::uuid))
 ORDER BY j.created_at DESC, j.id DESC
 LIMIT $4

-- name: rescore_preview
SELECT preview FROM rescore_jobs WHERE id = $1

-- name: rescore_failures
SELECT i.entry_id, e.model_name, i.failure_code AS code, i.failure_reason AS reason
  FROM rescore_items i
  JOIN entries e ON e.id = i.entry_id
 WHERE i.job_id = $1 AND i.state = 'failed'
 ORDER BY e.name_key, e.id

-- name: rescore_lock
SELECT j.state, j.kind, j.ground_truth_version, j.judge_version, j.from_judge_version,
       j.metric_version, j.preview_number,
       j.previewed::text AS previewed,
       (SELECT count(*) FROM rescore_items i WHERE i.job_id = j.id AND i.state = 'failed') AS failed
  FROM rescore_jobs j
 WHERE j.id = $1
   FOR UPDATE

-- name: boards_lock
SELECT board, revision FROM boards WHERE board = $1 FOR NO KEY UPDATE

-- name: rescore_state
UPDATE rescore_jobs SET state = $2 WHERE id = $1

-- name: scores_swap
-- The shadow scores of all entries that are still there become those in force.
INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,
                    ground_truth_version, metric_version, file_sha256)
SELECT n.entry_id, n.metric, n.compat, n.strict, n.answered, n.expected, n.by_source, $2, $3,
       s.file_sha256
  FROM shadow_scores n
  JOIN rescore_items i ON i.job_id = n.job_id AND i.entry_id = n.entry_id AND i.state = 'scored'
  JOIN entries e ON e.id = n.entry_id AND e.listed AND e.removed_at IS NULL
  JOIN submissions s ON s.id = i.submission_id
 WHERE n.job_id = $1
 ORDER BY n.entry_id, n.metric
ON CONFLICT (entry_id, metric) DO UPDATE
   SET compat = EXCLUDED.compat, strict = EXCLUDED.strict, answered = EXCLUDED.answered,
       expected = EXCLUDED.expected, by_source = EXCLUDED.by_source,
       ground_truth_version = EXCLUDED.ground_truth_version,
       metric_version = EXCLUDED.metric_version, file_sha256 = EXCLUDED.file_sha256

-- name: replicates_swap
-- Those of the scores above.
INSERT INTO replicates (entry_id, metric, scoring, statistics_version, replicates, interval, by_source,
                        ground_truth_version, metric_version)
SELECT n.entry_id, n.metric, n.scoring, n.statistics_version, n.replicates, n.interval, n.by_source, $2, $3
  FROM shadow_replicates n
  JOIN rescore_items i ON i.job_id = n.job_id AND i.entry_id = n.entry_id AND i.state = 'scored'
  JOIN entries e ON e.id = n.entry_id AND e.listed AND e.removed_at IS NULL
 WHERE n.job_id = $1
 ORDER BY n.entry_id, n.metric, n.scoring
ON CONFLICT (entry_id, metric, scoring) DO UPDATE
   SET statistics_version = EXCLUDED.statistics_version, replicates = EXCLUDED.replicates,
       interval = EXCLUDED.interval, by_source = EXCLUDED.by_source,
       ground_truth_version = EXCLUDED.ground_truth_version,
       metric_version = EXCLUDED.metric_version, judge_version = EXCLUDED.judge_version

-- name: submissions_move
-- What is judged or measured from now on refers to the new ground truth, too.
UPDATE submissions s
   SET ground_truth_version = $2
  FROM rescore_items i
  JOIN entries e ON e.id = i.entry_id AND e.listed AND e.removed_at IS NULL
 WHERE i.job_id = $1 AND i.state = 'scored' AND s.id = i.submission_id
RETURNING s.id

-- name: similarities_due
-- The reaper announces them at its next look.
INSERT INTO similarities_due (submission_id, announced_at)
SELECT submission_id, '-infinity'
  FROM unnest($1::uuid[]) AS moved (submission_id)
 WHERE EXISTS (SELECT FROM similarities m
                 JOIN entries e ON e.id = m.entry_id
                WHERE e.submission_id = moved.submission_id
                  AND (m.ground_truth_version, m.similarity_version) <> ($2, $3))
ON CONFLICT (submission_id) DO UPDATE SET announced_at = '-infinity', failure_code = NULL

-- name: judging_ask
-- For entries whose judged scores are of another ground truth or older code, or have no replicates by
-- this code ($4); what was judged is not paid again.
INSERT INTO judge_runs (id, submission_id, requested_by, repeats)
SELECT gen_random_uuid(), s.id, 'administrator', v.repeats
  FROM submissions s
  JOIN entries e ON e.submission_id = s.id
 CROSS JOIN judge_service v
 WHERE s.id = ANY ($1::uuid[]) AND v.judge_version IS NOT NULL
   AND EXISTS (SELECT FROM scores c
                WHERE c.entry_id = e.id AND c.judge_version IS NOT NULL
                  AND ((c.ground_truth_version, c.metric_version) <> ($2, $3)
                       OR (c.judge_version = v.judge_version AND c.compat IS NOT NULL
                           AND NOT EXISTS (SELECT FROM current_replicates n
                                            WHERE n.entry_id = c.entry_id AND n.metric = c.metric
                                              AND n.statistics_version = $4))))
   AND NOT EXISTS (SELECT FROM judge_runs r
                    WHERE r.submission_id = s.id AND r.state IN ('queued', 'running', 'paused'))
RETURNING id, submission_id

-- name: shadow_drop
DELETE FROM shadow_scores WHERE job_id = $1
