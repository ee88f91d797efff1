-- name: webhook_add
INSERT INTO webhooks (submission_id, url, secret) VALUES ($1, $2, $3)

-- name: webhook_url
SELECT url FROM webhooks WHERE submission_id = $1

-- name: deliveries_take
-- The attempt counts when it is begun: what kills its sender is not tried for ever. A submission's
-- events are taken one at a time, so one slow receiver holds up no other.
WITH due AS (
     SELECT DISTINCT ON (submission_id) id
       FROM webhook_deliveries
      WHERE state = 'waiting' AND due_at <= now()
        AND (leased_until IS NULL OR leased_until < now())
        AND NOT EXISTS (
            SELECT FROM webhook_deliveries AS busy
             WHERE busy.submission_id = webhook_deliveries.submission_id
               AND busy.state = 'waiting' AND busy.leased_until >= now())
      ORDER BY submission_id, event_id NULLS FIRST, happened_at
      LIMIT 4 * $1::integer
), taken AS (
     SELECT id
       FROM webhook_deliveries
      WHERE id IN (SELECT id FROM due) AND state = 'waiting'
        AND (leased_until IS NULL OR leased_until < now())
      ORDER BY due_at
      LIMIT $1
        FOR UPDATE SKIP LOCKED)
UPDATE webhook_deliveries AS delivery
   SET attempts = attempts + 1, leased_until = now() + make_interval(secs => $2)
  FROM taken, webhooks
 WHERE delivery.id = taken.id AND webhooks.submission_id = delivery.submission_id
RETURNING delivery.id, delivery.submission_id, delivery.kind, delivery.data::text AS data,
          delivery.happened_at, delivery.attempts, webhooks.url, webhooks.secret

-- name: delivery_delivered
UPDATE webhook_deliveries
   SET state = 'delivered', settled_at = now(), leased_until = NULL, status = $3, error = NULL
 WHERE id = $1 AND state = 'waiting' AND attempts = $2

-- name: delivery_put_off
UPDATE webhook_deliveries
   SET due_at = now() + make_interval(secs => $5), leased_until = NULL, status = $3, error = $4
 WHERE id = $1 AND state = 'waiting' AND attempts = $2

-- name: delivery_give_up
UPDATE webhook_deliveries
   SET state = 'dead', settled_at = now(), leased_until = NULL, status = $3, error = $4
 WHERE id = $1 AND state = 'waiting' AND attempts = $2

-- name: deliveries_page
SELECT id, submission_id, kind, happened_at, state, attempts, due_at, status, error, settled_at
  FROM webhook_deliveries
 WHERE ($1::uuid IS NULL OR submission_id = $1)
   AND ($2::text IS NULL OR state = $2)
   AND ($3::timestamptz IS NULL OR (happened_at, id) < ($3, $4::uuid))
 ORDER BY happened_at DESC, id DESC
 LIMIT $5

-- name: deliveries_revive
UPDATE webhook_deliveries
   SET state = 'waiting', settled_at = NULL, attempts = 0, due_at = now(), error = NULL, status = NULL
 WHERE submission_id = $1 AND state = 'dead'

-- name: deliveries_forget
DELETE FROM webhook_deliveries
 WHERE state <> 'waiting' AND settled_at < now() - interval '90 days'
