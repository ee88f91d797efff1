-- name: rescore_lock
SELECT state, kind, ground_truth_version, metric_version, judge_version, from_judge_version
  FROM rescore_jobs
 WHERE id = $1
   FOR UPDATE

-- name: boards_hold
-- A change to a board raises its revision and waits for this lock: entries and revision fit.
SELECT revision FROM boards WHERE board = $1 FOR SHARE

-- name: shadow_values
SELECT s.entry_id,
       array_agg(s.metric ORDER BY s.metric) AS metrics,
       array_agg(s.compat ORDER BY s.metric) AS compat,
       array_agg(s.strict ORDER BY s.metric) AS strict,
       array_agg(s.answered ORDER BY s.metric) AS answered,
       array_agg(s.expected ORDER BY s.metric) AS expected
  FROM shadow_scores s
  JOIN rescore_items i ON i.job_id = s.job_id AND i.entry_id = s.entry_id AND i.state = 'scored'
  JOIN rescore_jobs j ON j.id = s.job_id
  JOIN entries e ON e.id = s.entry_id
  LEFT JOIN judge_versions v ON v.hash = j.judge_version
 WHERE s.job_id = $1
       -- Not what may not be on the official board, of an entry that came there since.
   AND NOT (e.board = 'official' AND (v.is_stub IS TRUE OR i.is_confirmed IS FALSE))
 GROUP BY s.entry_id

-- name: left_out
-- Listed entries with scores of a submission that the job does not cover, though they were computed
-- otherwise than it computes.
SELECT e.id
  FROM entries e
 WHERE e.listed AND e.removed_at IS NULL
   AND EXISTS (SELECT FROM scores s
                WHERE s.entry_id = e.id AND s.judge_version IS NULL AND s.metric_version IS NOT NULL
                  AND (s.ground_truth_version, s.metric_version) IS DISTINCT FROM ($2, $3))
   AND NOT EXISTS (SELECT FROM rescore_items i
                    WHERE i.job_id = $1 AND i.entry_id = e.id AND i.state = 'scored')
 ORDER BY e.id

-- name: left_unread
-- Listed entries with values of that judge that the job does not cover.
SELECT e.id
  FROM entries e
 WHERE e.listed AND e.removed_at IS NULL
   AND EXISTS (SELECT FROM scores s WHERE s.entry_id = e.id AND s.judge_version = $2)
   AND NOT EXISTS (SELECT FROM rescore_items i
                    WHERE i.job_id = $1 AND i.entry_id = e.id AND i.state = 'scored')
 ORDER BY e.id

-- name: judged_otherwise
-- Entries of the job whose judged scores are of another ground truth or older code: these stay.
SELECT i.entry_id
  FROM rescore_items i
 WHERE i.job_id = $1 AND i.state = 'scored'
   AND EXISTS (SELECT FROM scores s
                WHERE s.entry_id = i.entry_id AND s.judge_version IS NOT NULL
                  AND (s.ground_truth_version, s.metric_version) <> ($2, $3))
 ORDER BY i.entry_id

-- name: rescore_ready
UPDATE rescore_jobs
   SET state = 'ready', preview = $2, previewed = $3::text::jsonb, preview_number = preview_number + 1
 WHERE id = $1 AND state = 'scored'

-- name: rescores_waiting
UPDATE rescore_jobs SET announced_at = now()
 WHERE id IN (SELECT id FROM rescore_jobs
               WHERE state = 'scored' AND announced_at < now() - make_interval(secs => $1)
                 FOR UPDATE SKIP LOCKED)
RETURNING id AS job_id


-- name: judged_twice
-- Values of a job's entries by both judges, in compat scoring (judged values are the same in both), with their
-- replicates where both are of the same ground truth.
SELECT n.entry_id, e.model_name, n.metric, s.compat AS before, n.compat AS after,
       old.replicates AS replicates_before,
       CASE WHEN old.ground_truth_version = coalesce(i.ground_truth_version, old.ground_truth_version)
             AND old.statistics_version = new.statistics_version THEN new.replicates END AS replicates_after
  FROM shadow_scores n
  JOIN rescore_items i ON i.job_id = n.job_id AND i.entry_id = n.entry_id AND i.state = 'scored'
  JOIN entries e ON e.id = n.entry_id AND e.listed AND e.removed_at IS NULL
  JOIN scores s ON s.entry_id = n.entry_id AND s.metric = n.metric AND s.judge_version IS DISTINCT FROM $2
  LEFT JOIN current_replicates old ON old.entry_id = n.entry_id AND old.metric = n.metric AND old.scoring = 'compat'
  LEFT JOIN shadow_replicates new ON new.job_id = n.job_id AND new.entry_id = n.entry_id
                                 AND new.metric = n.metric AND new.scoring = 'compat'
 WHERE n.job_id = $1 AND n.compat IS NOT NULL AND s.compat IS NOT NULL
 ORDER BY n.entry_id, n.metric

-- name: agreements
SELECT agreement::text FROM rescore_items WHERE job_id = $1 AND state = 'scored' AND agreement IS NOT NULL
 ORDER BY entry_id
