-- name: ground_truths
SELECT version, samples, active, loaded_at,
       (SELECT count(*) FROM submissions WHERE ground_truth_version = version) AS submissions
  FROM ground_truths
 ORDER BY loaded_at DESC, version

-- name: ground_truth_lock
-- One change of the current version at a time.
SELECT version, active FROM ground_truths ORDER BY version FOR UPDATE
