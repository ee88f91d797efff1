-- name: runs_for_provider
-- Runs with pairs that wait for a file.
SELECT DISTINCT r.id
  FROM judge_runs r
  JOIN judge_batches b ON b.run_id = r.id AND b.state = 'for_provider' AND b.due_at <= now()
 WHERE r.state = 'running' AND r.judge_version = $1

-- name: run_take
-- Another replica that is at it, or a planner, is not waited for.
SELECT id AS run_id, submission_id, judge_version, is_cautious, fast
  FROM judge_runs
 WHERE id = $1 AND state = 'running' AND judge_version = $2
   FOR UPDATE SKIP LOCKED

-- name: run_goes_online
UPDATE judge_batches SET state = 'planned' WHERE run_id = $1 AND state = 'for_provider'

-- name: run_tries_online
-- The first judge batch alone, unless one is on its way.
UPDATE judge_batches
   SET state = 'planned'
 WHERE id = (SELECT min(id) FROM judge_batches WHERE run_id = $1 AND state = 'for_provider')
   AND NOT EXISTS (SELECT FROM judge_batches WHERE run_id = $1 AND state IN ('planned', 'sent'))

-- name: items_for_provider
SELECT p.batch_id, p.ordinal, p.repeat, p.pair, p.metrics, p.tries, p.calls, p.throttled, t.prediction,
       t.reference
  FROM (SELECT id
          FROM judge_batches
         WHERE run_id = $1 AND state = 'for_provider' AND due_at <= now()
         ORDER BY id
         LIMIT $2) AS b
  JOIN judge_run_pairs p ON p.batch_id = b.id AND NOT p.terminal
  JOIN judge_pairs t ON t.sha256 = p.pair
 ORDER BY p.batch_id, p.ordinal, p.repeat

-- name: lines_claim
-- Without an end: they end with the batch.
INSERT INTO judge_claims (judge_version, pair, repeat, holder, until)
SELECT $1, item.pair, item.repeat, $4, 'infinity'
  FROM unnest($2::bytea[], $3::integer[]) AS item (pair, repeat)
 ORDER BY item.pair, item.repeat
ON CONFLICT (judge_version, pair, repeat) DO UPDATE
   SET holder = EXCLUDED.holder, until = EXCLUDED.until
 WHERE judge_claims.until < now()
RETURNING pair, repeat

-- name: lines_unclaim
-- All of the batch $1 but these.
DELETE FROM judge_claims c
 WHERE holder = $1
   AND NOT EXISTS (SELECT FROM unnest($2::bytea[], $3::integer[]) AS kept (pair, repeat)
                    WHERE kept.pair = c.pair AND kept.repeat = c.repeat)

-- name: lines_settled
-- Locked in the order in which claims are taken: nobody waits for somebody who waits.
WITH mine AS MATERIALIZED (
    SELECT judge_version, pair, repeat
      FROM judge_claims
      JOIN unnest($2::bytea[], $3::integer[]) AS item (pair, repeat) USING (pair, repeat)
     WHERE holder = $1
     ORDER BY pair, repeat
       FOR UPDATE OF judge_claims)
DELETE FROM judge_claims c
 USING mine
 WHERE c.judge_version = mine.judge_version AND c.pair = mine.pair AND c.repeat = mine.repeat
RETURNING c.pair, c.repeat

-- name: judge_batches_wait
UPDATE judge_batches SET due_at = now() + make_interval(secs => $2)
 WHERE run_id = $1 AND state = 'for_provider'

-- name: judge_batches_online
UPDATE judge_batches SET state = 'planned' WHERE id = ANY($1::bigint[])

-- name: judge_batches_file
UPDATE judge_batches SET state = 'at_provider', provider_batch = $2 WHERE id = ANY($1::bigint[])

-- name: file_add
INSERT INTO judge_provider_batches (id, run_id, judge_version, endpoint, reply_form, price, lines, reserved_microusd)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8)

-- name: due_batch
-- The batch of the endpoint $1 whose next step is due longest; none of the versions $2, which others judge there with
-- keys of their own.
SELECT id
  FROM judge_provider_batches
 WHERE endpoint = $1 AND state <> 'done' AND due_at <= clock_timestamp()
   AND judge_version <> ALL ($2::text[])
   AND (held_until IS NULL OR held_until < clock_timestamp())
 ORDER BY due_at
 LIMIT 1
   FOR UPDATE SKIP LOCKED

-- name: stray_batch
-- A batch of an endpoint that is none of $1 and at which no judge took a step for an hour. What is paid for there
-- is waited for as long as anywhere.
SELECT id
  FROM judge_provider_batches
 WHERE endpoint <> ALL ($1::text[]) AND state <> 'done' AND due_at < clock_timestamp() - interval '1 hour'
   AND (held_until IS NULL OR held_until < clock_timestamp() - interval '1 hour')
   AND (state IN ('planned', 'uploaded', 'deleting')
        OR coalesce(submitted_at, created_at) < now() - interval '49 hours')
 ORDER BY due_at
 LIMIT 1
   FOR UPDATE SKIP LOCKED

-- name: hold
-- For $3 seconds. It may begin while its run is under way, and is wanted while that may use it.
UPDATE judge_provider_batches b
   SET holder = $2, held_until = clock_timestamp() + make_interval(secs => $3)
  FROM judge_runs r, judge_versions v
 WHERE b.id = $1 AND r.id = b.run_id AND v.hash = b.judge_version
RETURNING b.id, b.run_id, r.submission_id, b.judge_version, b.endpoint, v.facts::text AS facts, b.reply_form,
          b.price::text AS price, b.lines, b.reserved_microusd, b.state, b.file_id, b.provider_id, b.outputs,
          b.cancelled_at IS NOT NULL AS is_cancelled, b.tries,
          coalesce(b.submitted_at < now() - interval '48 hours', false) AS is_overdue,
          coalesce(b.submitted_at < now() - interval '49 hours', false) AS is_hopeless,
          r.judge_version = b.judge_version AND NOT r.fast AND r.state IN ('queued', 'running') AS may_begin,
          r.judge_version = b.judge_version AND NOT r.fast
          AND (r.state IN ('queued', 'running')
               OR r.state = 'paused' AND r.reason NOT IN ('administrator', 'needs_operator', 'other_judge'))
              AS is_wanted

-- name: others_under_way
-- Whether the endpoint has other batches, which it answers before it takes more.
SELECT EXISTS (SELECT FROM judge_provider_batches
                WHERE endpoint = $2 AND id <> $1 AND state IN ('submitting', 'in_progress'))

-- name: keep
UPDATE judge_provider_batches SET held_until = clock_timestamp() + make_interval(secs => $3)
 WHERE id = $1 AND holder = $2 AND held_until IS NOT NULL
RETURNING true

-- name: lock
SELECT state FROM judge_provider_batches
 WHERE id = $1 AND holder = $2 AND held_until IS NOT NULL
   FOR UPDATE

-- name: put
-- The next step, which is due in $4 seconds, for any replica to take.
UPDATE judge_provider_batches
   SET state = $3, due_at = clock_timestamp() + make_interval(secs => $4), held_until = NULL,
       file_id = coalesce($5, file_id), provider_id = coalesce($6, provider_id),
       outputs = coalesce($7, outputs), ended = coalesce($8, ended),
       cancelled_at = CASE WHEN $9 THEN coalesce(cancelled_at, now()) ELSE cancelled_at END,
       submitted_at = CASE WHEN $6 IS NULL THEN submitted_at ELSE coalesce(submitted_at, now()) END,
       tries = 0, problem = NULL
 WHERE id = $1 AND holder = $2 AND held_until IS NOT NULL
RETURNING true

-- name: submitting
-- Before it is created: who finds it so looks for it after $3 seconds.
UPDATE judge_provider_batches
   SET state = 'submitting', due_at = clock_timestamp() + make_interval(secs => $3)
 WHERE id = $1 AND holder = $2 AND held_until IS NOT NULL
RETURNING true

-- name: fail
-- The same step again in $3 seconds.
UPDATE judge_provider_batches
   SET due_at = greatest(due_at, clock_timestamp() + make_interval(secs => $3)), held_until = NULL,
       tries = least(tries + 1, 1000), problem = $4
 WHERE id = $1 AND holder = $2 AND held_until IS NOT NULL
RETURNING true

-- name: open_judge_batches
SELECT id FROM judge_batches WHERE provider_batch = $1 AND state = 'at_provider' ORDER BY id

-- name: items_at_provider
-- In the order in which they were written.
SELECT p.ordinal, p.repeat, p.pair, p.metrics, p.tries, p.calls, p.throttled, t.prediction, t.reference
  FROM judge_batches b
  JOIN judge_run_pairs p ON p.batch_id = b.id AND NOT p.terminal
  JOIN judge_claims c ON c.holder = $1 AND c.pair = p.pair AND c.repeat = p.repeat
  JOIN judge_pairs t ON t.sha256 = p.pair
 WHERE b.provider_batch = $1 AND b.state = 'at_provider'
 ORDER BY b.id, p.ordinal, p.repeat

-- name: lines_open
-- What is not settled yet.
SELECT c.pair, c.repeat, t.prediction, t.reference
  FROM judge_claims c
  JOIN judge_pairs t ON t.sha256 = c.pair
 WHERE c.holder = $1
 ORDER BY c.pair, c.repeat

-- name: count_settled
UPDATE judge_provider_batches SET answered = answered + $2, spent_microusd = spent_microusd + $3 WHERE id = $1

-- name: let_go
-- Pairs that came to nothing: in state $2 they go on, in $3 seconds.
WITH released AS (
    DELETE FROM judge_claims WHERE holder = $1)
UPDATE judge_batches SET state = $2, due_at = now() + make_interval(secs => $3)
 WHERE provider_batch = $1 AND state = 'at_provider'
