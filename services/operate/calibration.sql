-- name: verdicts
SELECT pair, repeat, scores, cost_microusd
  FROM judge_verdicts
  JOIN unnest($2::bytea[], $3::integer[]) AS item (pair, repeat) USING (pair, repeat)
 WHERE judge_version = $1 AND scores IS NOT NULL

-- name: versions_like
SELECT hash FROM judge_versions WHERE starts_with(hash, $1) ORDER BY hash LIMIT 3
