-- name: outbox_add
INSERT INTO outbox (message_id, type, body) VALUES ($1, $2, $3)

-- name: outbox_take
-- Rows another relay holds are skipped; the locks last until its transaction ends.
SELECT position, message_id, type, body, created_at, attempts, retry_at
  FROM outbox
 WHERE published_at IS NULL AND retry_at IS NULL
 ORDER BY position
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: outbox_take_refused
SELECT position, message_id, type, body, created_at, attempts, retry_at
  FROM outbox
 WHERE published_at IS NULL AND retry_at <= now()
 ORDER BY retry_at
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: outbox_take_one
SELECT position, message_id, type, body, created_at, attempts, retry_at
  FROM outbox
 WHERE published_at IS NULL AND position = $1
   FOR UPDATE SKIP LOCKED

-- name: outbox_refused
UPDATE outbox
   SET attempts = $2, retry_at = now() + make_interval(secs => $3)
 WHERE position = $1

-- name: outbox_published
UPDATE outbox SET published_at = now() WHERE position = ANY($1::bigint[])

-- name: inbox_add
INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: inbox_has
SELECT EXISTS (SELECT FROM inbox WHERE consumer = $1 AND message_id = $2)

-- name: dead_letter_add
INSERT INTO dead_letters (queue, message_id, type, reason, detail, attempts, body)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (queue, message_id) WHERE replayed_at IS NULL DO NOTHING

-- name: ground_truth_add
INSERT INTO ground_truths (version, content, samples, active)
VALUES ($1, $2, $3, false)
ON CONFLICT (version) DO NOTHING

-- name: ground_truth_deactivate_others
UPDATE ground_truths SET active = false WHERE active AND version <> $1

-- name: ground_truth_activate
UPDATE ground_truths SET active = true, loaded_at = now() WHERE version = $1 AND NOT active

-- name: ground_truth_active_version
SELECT version FROM ground_truths WHERE active

-- name: ground_truth_content
SELECT content FROM ground_truths WHERE version = $1
