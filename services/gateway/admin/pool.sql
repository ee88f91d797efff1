-- name: endpoints
-- Of the pools that replicas serve, with what each was paid this month (UTC).
SELECT name, judge_version, state, why, changed_at, down, seen_at,
       (SELECT coalesce(sum(spent_microusd), 0)::bigint FROM judge_costs
         WHERE endpoint = name AND day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date) AS spent_microusd
  FROM judge_pool_endpoints
 WHERE seen_at > now() - interval '1 hour' OR state = 'drained'
 ORDER BY name

-- name: endpoint_lock
SELECT state, why FROM judge_pool_endpoints WHERE name = $1 FOR UPDATE

-- name: endpoint_set
UPDATE judge_pool_endpoints SET state = $2, why = $3, changed_at = clock_timestamp() WHERE name = $1
