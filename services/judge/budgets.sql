-- name: open_bucket
-- A new account starts full.
INSERT INTO judge_rate_buckets (account, requests, tokens) VALUES ($1, $2, $3)
ON CONFLICT (account) DO NOTHING

-- name: take_slice
-- $1 account, $2 and $3 wanted requests and tokens, $4 and $5 their rates per second, $6 and $7 the
-- bucket's capacities, $8 tokens without which nothing is taken, $9 and $10 what comes back unused
-- (negative: what was overdrawn). Grants both or neither; `wait` says how long it would take.
WITH refilled AS (
    SELECT account, clock_timestamp() AS at,
           least($6::float8, requests + $9::float8 + $4::float8 * elapsed) AS requests,
           least($7::float8, tokens + $10::float8 + $5::float8 * elapsed) AS tokens
      FROM (SELECT *, greatest(0, extract(epoch FROM clock_timestamp() - refilled_at))::float8 AS elapsed
              FROM judge_rate_buckets
             WHERE account = $1
               FOR UPDATE) AS bucket
), granted AS (
    SELECT *,
           CASE WHEN enough THEN least($2::float8, floor(requests)) ELSE 0 END AS granted_requests,
           CASE WHEN enough THEN least($3::float8, tokens) ELSE 0 END AS granted_tokens
      FROM (SELECT *, requests >= 1 AND tokens >= $8::float8 AS enough FROM refilled) AS refilled
)
UPDATE judge_rate_buckets AS bucket
   SET requests = granted.requests - granted_requests,
       tokens = granted.tokens - granted_tokens,
       refilled_at = at
  FROM granted
 WHERE bucket.account = granted.account
RETURNING granted_requests, granted_tokens,
          greatest(0, (1 - granted.requests) / $4::float8,
                   ($8::float8 - granted.tokens) / $5::float8) AS wait

-- name: give_back
-- $1 account, $2 and $3 requests and tokens, $4 and $5 the bucket's capacities.
UPDATE judge_rate_buckets
   SET requests = least($4::float8, requests + $2::float8),
       tokens = least($5::float8, tokens + $3::float8)
 WHERE account = $1

-- name: charge
-- Adds $2 to this month and to the run $1. The month's row comes first, for everyone: its lock
-- makes reservations queue up, and nobody waits for somebody who waits.
INSERT INTO judge_spending AS spending (scope, spent_microusd)
VALUES ('month:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), $2::bigint), ('run:' || $1::uuid, $2::bigint)
ON CONFLICT (scope) DO UPDATE
   SET spent_microusd = spending.spent_microusd + excluded.spent_microusd, changed_at = now()
RETURNING scope, spent_microusd

-- name: cost_add
-- Within the transaction of `charge`, so that both say the same.
INSERT INTO judge_costs AS cost (run_id, judge_version, endpoint, day, spent_microusd)
VALUES ($1, $2, $3, (now() AT TIME ZONE 'UTC')::date, $4)
ON CONFLICT (run_id, judge_version, endpoint, day) DO UPDATE
   SET spent_microusd = cost.spent_microusd + excluded.spent_microusd

-- name: endpoint_spent
-- Settled, this month. As all who charge wait for the month's row, nobody adds to it in between.
SELECT coalesce(sum(spent_microusd), 0)::bigint
  FROM judge_costs
 WHERE endpoint = $1 AND day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date

-- name: held_by_others
SELECT coalesce(sum(reserved_microusd) FILTER (WHERE month_scope = $2), 0)::bigint AS month,
       coalesce(sum(reserved_microusd) FILTER (WHERE run_scope = $3), 0)::bigint AS run,
       coalesce(sum(reserved_microusd) FILTER (WHERE month_scope = $2 AND endpoint = $4), 0)::bigint AS endpoint
  FROM judge_spending_leases
 WHERE id <> $1 AND expires_at > clock_timestamp()

-- name: hold
INSERT INTO judge_spending_leases (id, month_scope, run_scope, endpoint, reserved_microusd, expires_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
ON CONFLICT (id) DO UPDATE
   SET month_scope = excluded.month_scope,
       reserved_microusd = excluded.reserved_microusd,
       expires_at = excluded.expires_at

-- name: release
DELETE FROM judge_spending_leases WHERE id = $1 OR expires_at < clock_timestamp() - interval '1 hour'

-- name: hold_for_batch
-- A provider's batch ($1) of the run $2 keeps its money for as long as it is open.
INSERT INTO judge_spending_leases (id, month_scope, run_scope, reserved_microusd, expires_at)
VALUES ($1, 'month:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), 'run:' || $2::uuid, $3, 'infinity')

-- name: spend_of_batch
-- What is charged is not set aside any more: the sum of both stays what was set aside.
UPDATE judge_spending_leases SET reserved_microusd = greatest(1, reserved_microusd - $2) WHERE id = $1

-- name: charged
SELECT scope, spent_microusd
  FROM judge_spending
 WHERE scope IN ('month:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), 'run:' || $1::uuid)

-- name: warn
-- Tells whether the threshold $2 is new for this scope.
UPDATE judge_spending SET warned = $2 WHERE scope = $1 AND warned < $2

-- name: settled_this_month
SELECT coalesce((SELECT spent_microusd FROM judge_spending
                  WHERE scope = 'month:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')), 0)

-- name: spent_this_month
-- Settled and set aside.
SELECT coalesce((SELECT spent_microusd FROM judge_spending WHERE scope = month.scope), 0)
       + coalesce((SELECT sum(reserved_microusd) FROM judge_spending_leases
                    WHERE month_scope = month.scope AND expires_at > clock_timestamp()), 0)::bigint
  FROM (SELECT 'month:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS scope) AS month
