-- name: account_lock
-- One decision about an account at a time, on all gateways, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended($1, 4))

-- name: submissions_used
-- How many submissions count, and in how many seconds there is room for one more where the limit
-- ($2) is reached: once the $2-th newest has left the window. A failure was ours, as the file had
-- passed every check: it does not count.
WITH counted AS (
     SELECT u.at
       FROM quota_uses u
       JOIN submissions s ON s.id = u.submission_id
      WHERE u.account = $1 AND u.kind = 'submission' AND u.at > now() - interval '24 hours'
        AND s.state <> 'failed')
SELECT (SELECT count(*) FROM counted) AS used,
       (SELECT extract(epoch FROM at + interval '24 hours' - now())::float8
          FROM counted
         ORDER BY at DESC
        OFFSET greatest($2::bigint - 1, 0)
         LIMIT 1) AS next_in

-- name: bytes_used
-- The same for bytes: room for $3 more under the limit $2 is there once the newest upload that is
-- one too many has left the window.
WITH counted AS (
     SELECT u.at, u.id, u.bytes
       FROM quota_uses u
       LEFT JOIN submissions s ON s.id = u.submission_id
      WHERE u.account = $1 AND u.kind IN ('submission', 'upload')
        AND u.at > now() - interval '24 hours' AND s.state IS DISTINCT FROM 'failed')
SELECT (SELECT coalesce(sum(bytes), 0)::bigint FROM counted) AS used,
       (SELECT extract(epoch FROM max(at) + interval '24 hours' - now())::float8
          FROM (SELECT at, sum(bytes) OVER (ORDER BY at DESC, id DESC) AS total FROM counted) AS sums
         WHERE total + $3::bigint > $2::bigint) AS next_in

-- name: judge_runs_used
WITH counted AS (
     SELECT u.at
       FROM quota_uses u
       JOIN judge_runs r ON r.id = u.run_id
      WHERE u.account = $1 AND u.kind = 'judging' AND u.at > now() - interval '30 days'
        AND (r.state <> 'failed' OR r.reason = 'withdrawn'))
SELECT (SELECT count(*) FROM counted) AS used,
       (SELECT extract(epoch FROM at + interval '30 days' - now())::float8
          FROM counted
         ORDER BY at DESC
        OFFSET greatest($2::bigint - 1, 0)
         LIMIT 1) AS next_in

-- name: validations_used
WITH counted AS (
     SELECT at FROM quota_uses
      WHERE account = $1 AND kind = 'validation' AND at > now() - interval '24 hours')
SELECT (SELECT count(*) FROM counted) AS used,
       (SELECT extract(epoch FROM at + interval '24 hours' - now())::float8
          FROM counted
         ORDER BY at DESC
        OFFSET greatest($2::bigint - 1, 0)
         LIMIT 1) AS next_in

-- name: validation_use_add
-- Its bytes are an upload's.
INSERT INTO quota_uses (account, kind) VALUES ($1, 'validation')

-- name: submission_use_add
INSERT INTO quota_uses (account, kind, submission_id, bytes) VALUES ($1, 'submission', $2, $3)

-- name: judging_use_add
INSERT INTO quota_uses (account, kind, run_id) VALUES ($1, 'judging', $2)

-- name: upload_use_add
INSERT INTO quota_uses (account, kind, bytes, at)
VALUES ($1, 'upload', $2, date_bin('10 minutes', now(), 'epoch'::timestamptz))
ON CONFLICT (account, at) WHERE kind = 'upload' DO UPDATE SET bytes = quota_uses.bytes + excluded.bytes

-- name: evaluations_used
-- A failure was ours and showed nothing. What became of a submission that is gone is not asked.
WITH counted AS (
     SELECT u.at
       FROM evaluate_only_uses u
       LEFT JOIN submissions s ON s.id = u.submission_id
      WHERE u.account = $1 AND u.at > now() - interval '24 hours'
        AND s.state IS DISTINCT FROM 'failed')
SELECT (SELECT count(*) FROM counted) AS used,
       (SELECT extract(epoch FROM at + interval '24 hours' - now())::float8
          FROM counted
         ORDER BY at DESC
        OFFSET greatest($2::bigint - 1, 0)
         LIMIT 1) AS next_in

-- name: evaluations_total_used
-- Those of a key are for ever, those of an address for a year.
WITH counted AS (
     SELECT u.at
       FROM evaluate_only_uses u
       LEFT JOIN submissions s ON s.id = u.submission_id
      WHERE u.account = $1 AND s.state IS DISTINCT FROM 'failed'
        AND (u.account LIKE 'key:%' OR u.at > now() - interval '365 days'))
SELECT (SELECT count(*) FROM counted) AS used,
       (SELECT extract(epoch FROM at + interval '365 days' - now())::float8
          FROM counted
         WHERE $1 NOT LIKE 'key:%'
         ORDER BY at DESC
        OFFSET greatest($2::bigint - 1, 0)
         LIMIT 1) AS next_in

-- name: evaluation_use_add
INSERT INTO evaluate_only_uses (account, submission_id) VALUES ($1, $2)

-- name: track_used
-- What an account has sent to a track ($2) for ever; in 24 hours, and in how many seconds there is room
-- for one more under the limit ($3, null: none). A failure is the server's.
WITH counted AS (
     SELECT u.at
       FROM track_uses u
       LEFT JOIN submissions s ON s.id = u.submission_id
      WHERE u.account = $1 AND u.track = $2 AND s.state IS DISTINCT FROM 'failed')
SELECT count(*) AS total, count(*) FILTER (WHERE at > now() - interval '24 hours') AS today,
       (SELECT extract(epoch FROM at + interval '24 hours' - now())::float8
          FROM counted
         WHERE at > now() - interval '24 hours'
         ORDER BY at DESC
        OFFSET greatest($3::bigint - 1, 0)
         LIMIT 1) AS next_in
  FROM counted

-- name: track_use_add
INSERT INTO track_uses (account, track, submission_id) VALUES ($1, $2, $3)

-- name: track_uses_forget
DELETE FROM track_uses WHERE account NOT LIKE 'key:%' AND at < now() - interval '366 days'

-- name: evaluations_forget
DELETE FROM evaluate_only_uses WHERE account NOT LIKE 'key:%' AND at < now() - interval '366 days'

-- name: uses_forget
DELETE FROM quota_uses WHERE at < now() - interval '32 days'
