-- name: replica_announce
-- $1 takes $2 batches at a time. Tells of all that announced themselves within $3 seconds; those that have
-- been silent for a minute are forgotten.
WITH mine AS (
    INSERT INTO judge_replicas (id, batches) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET batches = excluded.batches, seen_at = clock_timestamp()
), gone AS (
    DELETE FROM judge_replicas
     WHERE id IN (SELECT id FROM judge_replicas
                   WHERE seen_at < clock_timestamp() - interval '1 minute' AND id <> $1
                     FOR UPDATE SKIP LOCKED)
)
SELECT count(*)::integer + 1 AS replicas, (coalesce(sum(batches), 0) + $2)::integer AS batches
  FROM judge_replicas
 WHERE id <> $1 AND seen_at > clock_timestamp() - make_interval(secs => $3)

-- name: replica_leave
DELETE FROM judge_replicas WHERE id = $1

-- name: limits_set
UPDATE judge_service
   SET month_cap_microusd = $1, requests_per_minute = $2, tokens_per_minute = $3
 WHERE (month_cap_microusd, requests_per_minute, tokens_per_minute) IS DISTINCT FROM ($1, $2::float8, $3::float8)
