-- name: outbox_add
INSERT INTO outbox (message_id, type, body) VALUES ($1, $2, $3)

-- name: outbox_take
-- Rows another relay holds are skipped; the locks last until its transaction ends.
SELECT position, message_id, type, body
  FROM outbox
 WHERE published_at IS NULL
 ORDER BY position
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: outbox_published
UPDATE outbox SET published_at = now() WHERE position = ANY($1::bigint[])

-- name: outbox_waiting
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
  FROM outbox
 WHERE published_at IS NULL

-- name: inbox_add
INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: inbox_has
SELECT EXISTS (SELECT FROM inbox WHERE consumer = $1 AND message_id = $2)

-- name: dead_letter_add
INSERT INTO dead_letters (queue, message_id, type, reason, detail, attempts, body)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (queue, message_id) WHERE replayed_at IS NULL DO NOTHING
