-- name: sealed_snapshot
SELECT s.board, s.scoring, s.replicates_sha256, v.salt
  FROM snapshots s
  LEFT JOIN snapshot_values v ON v.snapshot_id = s.id
 WHERE s.id = $1

-- name: sealed_values
SELECT r.entry_id, r.metric, r.digest, r.ground_truth_version, r.metric_version, r.judge_version,
       e.submission_id
  FROM entries e
  JOIN current_replicates r ON r.entry_id = e.id
 WHERE e.board = $1 AND e.listed AND e.removed_at IS NULL AND r.statistics_version = $2
   AND r.scoring = $3
 ORDER BY r.entry_id, r.metric

-- name: sealed_replicates
SELECT metric, digest, replicates FROM current_replicates WHERE entry_id = $1 AND scoring = $2

-- name: sealed_payload
SELECT content FROM payloads WHERE submission_id = $1

-- name: sealed_run
SELECT r.id, r.plan, r.repeats, v.facts::text AS facts
  FROM judge_results
  JOIN judge_runs r ON r.id = judge_results.run_id
  JOIN judge_versions v ON v.hash = judge_results.judge_version
 WHERE judge_results.submission_id = $1 AND judge_results.judge_version = $2 AND r.plan IS NOT NULL
 ORDER BY completed_at DESC
 LIMIT 1

-- name: sealed_verdicts
SELECT p.member, p.ordinal, p.repeat, v.scores
  FROM judge_run_pairs p
  JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
 CROSS JOIN LATERAL (
       SELECT scores FROM judge_verdicts
        WHERE judge_version = m.member_version AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v
 WHERE p.run_id = $1 AND v.scores IS NOT NULL
