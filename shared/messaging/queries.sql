-- name: enqueue
INSERT INTO queue_messages (queue, message_id, type, body)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: claim
-- Chosen in a WITH, which runs once: a subquery of a join may run again, and take more than $2.
WITH free AS (
    SELECT queue, message_id
      FROM queue_messages
     WHERE queue = $1
       AND available_at <= now()
       AND (leased_until IS NULL OR leased_until < now())
     ORDER BY available_at
     LIMIT $2
       FOR UPDATE SKIP LOCKED)
UPDATE queue_messages AS message
   SET lease = $3, leased_until = now() + make_interval(secs => $4), deliveries = deliveries + 1
  FROM free
 WHERE (message.queue, message.message_id) = (free.queue, free.message_id)
RETURNING message.message_id, body, attempt, deliveries

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
