-- name: enqueue
INSERT INTO queue_messages (queue, message_id, type, body)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: claim
UPDATE queue_messages
   SET lease = $3, leased_until = now() + make_interval(secs => $4), deliveries = deliveries + 1
 WHERE (queue, message_id) IN (
       SELECT queue, message_id
         FROM queue_messages
        WHERE queue = $1
          AND available_at <= now()
          AND (leased_until IS NULL OR leased_until < now())
        ORDER BY available_at
        LIMIT $2
          FOR UPDATE SKIP LOCKED)
RETURNING message_id, body, attempt, deliveries

-- name: renew
UPDATE queue_messages
   SET leased_until = now() + make_interval(secs => $3)
 WHERE queue = $1 AND lease = ANY($2::uuid[])

-- name: settle_done
DELETE FROM queue_messages WHERE queue = $1 AND message_id = $2 AND lease = $3

-- name: settle_retry
UPDATE queue_messages
   SET lease = NULL, leased_until = NULL, attempt = attempt + 1, deliveries = 0,
       available_at = now() + make_interval(secs => $4)
 WHERE queue = $1 AND message_id = $2 AND lease = $3

-- name: settle_give_back
UPDATE queue_messages
   SET lease = NULL, leased_until = NULL, deliveries = deliveries - 1
 WHERE queue = $1 AND message_id = $2 AND lease = $3

-- name: depth
SELECT count(*) FROM queue_messages WHERE queue = $1
