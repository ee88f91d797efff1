-- name: endpoint_seen
-- Says that a replica has the endpoint $1 in its file, for the judge version $2, and what holds its calls back ($3).
-- What another judge's model was taken out for says nothing of this one's. Returns what holds for all replicas.
INSERT INTO judge_pool_endpoints AS known (name, judge_version, down) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE
   SET state = CASE WHEN known.state = 'other_model' AND known.judge_version <> $2 THEN 'serving' ELSE known.state END,
       why = CASE WHEN known.state = 'other_model' AND known.judge_version <> $2 THEN NULL ELSE known.why END,
       changed_at = CASE WHEN known.state = 'other_model' AND known.judge_version <> $2 THEN clock_timestamp()
                         ELSE known.changed_at END,      -- so that its list is read again
       judge_version = $2, down = $3, seen_at = now()
RETURNING state, why, changed_at

-- name: endpoint_out
UPDATE judge_pool_endpoints SET state = 'other_model', why = $2, changed_at = now()
 WHERE name = $1 AND state = 'serving'
