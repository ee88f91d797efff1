-- name: server_version
SELECT current_setting('server_version_num')::integer

-- name: now
SELECT extract(epoch FROM clock_timestamp())::float8

-- name: connections
SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
       AS allowed,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used

-- name: open_dead_letters
SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL

-- name: late_provider_batches
-- Those that fail, are late, or whose next step nobody takes: at the endpoint `nobodys` no judge runs.
SELECT count(*) AS number, max(problem) AS problem,
       (array_agg(state || ' for ' || round(extract(epoch FROM now() - created_at) / 3600) || ' h'
                  ORDER BY created_at))[1] AS oldest,
       min(endpoint) FILTER (WHERE is_nobodys) AS nobodys
  FROM (SELECT *, greatest(due_at, held_until) < now() - interval '10 minutes' AS is_nobodys
          FROM judge_provider_batches
         WHERE state <> 'done') AS batch
 WHERE tries > 2 OR created_at < now() - interval '26 hours' OR is_nobodys

-- name: names_alike
-- Served by the index of kept keys, which holds next to nothing.
SELECT kept.board, kept.id AS kept_id, kept.model_name AS kept, held.id AS held_id,
       held.model_name AS held
  FROM entries kept
  JOIN entries held ON held.board = kept.board AND held.removed_at IS NULL
                   AND held.name_key = entries_name_key(kept.name_key)
 WHERE kept.removed_at IS NULL AND kept.name_key <> entries_name_key(kept.name_key)
 ORDER BY kept.board, held.name_key, kept.submitted_on, kept.id
 LIMIT $1

-- name: senders
-- Without keys, of the last week; the networks around an IPv6 address are accounts beside it.
SELECT count(*) AS uses, min(account) AS first, max(account) AS last
  FROM quota_uses
 WHERE kind IN ('submission', 'validation') AND account LIKE 'address:%'
   AND account NOT LIKE '%/56' AND account NOT LIKE '%/48' AND at > now() - interval '7 days'
