-- What may go, table by table. '..._doomed' finds rows ($1 days kept, $2 at most so many, null for
-- all); '..._prune' lets them go. Nothing that a ranked entry's numbers are made of is ever found:
-- its upload, its ground truth, its verdicts and their texts.

-- name: alone
SELECT pg_try_advisory_xact_lock(hashtextextended('medvid prune ' || $1::text, 4))

-- name: outbox_doomed
SELECT ctid FROM outbox
 WHERE published_at < now() - make_interval(secs => 86400 * $1::float8)
 ORDER BY position
 LIMIT $2

-- name: outbox_prune
DELETE FROM outbox WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: inbox_doomed
SELECT ctid FROM inbox WHERE at < now() - make_interval(secs => 86400 * $1::float8) LIMIT $2

-- name: inbox_prune
DELETE FROM inbox WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: payloads_doomed
-- Uploads of submissions that are finished and on no board (those that were only evaluated are on
-- none, ever), and were not taken off one lately.
SELECT p.ctid
  FROM payloads p
  JOIN submissions s ON s.id = p.submission_id
 WHERE s.state NOT IN ('accepted', 'scored')
   AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM entries e
                    WHERE e.submission_id = s.id
                      AND ((e.removed_at IS NULL AND NOT e.hypothetical)
                           OR e.removed_at > now() - make_interval(secs => 86400 * $1::float8)))
   AND NOT EXISTS (SELECT FROM judge_runs r
                    WHERE r.submission_id = s.id AND r.state IN ('queued', 'running', 'paused'))
 LIMIT $2

-- name: payloads_prune
DELETE FROM payloads WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: replicates_doomed
-- Of entries whose uploads go, too: taken off a board, or never on one.
SELECT r.ctid
  FROM replicates r
  JOIN entries e ON e.id = r.entry_id
  JOIN submissions s ON s.id = e.submission_id
 WHERE e.removed_at < now() - make_interval(secs => 86400 * $1::float8)
    OR (e.hypothetical AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8))
 LIMIT $2

-- name: replicates_prune
DELETE FROM replicates WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: snapshots_doomed
-- Thinned, never emptied: of older ones the last of each day stays, and after a year the last of
-- each month. The newest of a board has none after it, so it stays whatever its age; so does what final
-- results of tracks are read from.
SELECT s.ctid
  FROM snapshots s
 WHERE s.created_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM track_finals f WHERE f.snapshot_id = s.id)
   AND EXISTS (
       SELECT FROM snapshots later
        WHERE later.board = s.board AND later.scoring = s.scoring AND later.id > s.id
          AND CASE WHEN s.created_at < now() - interval '1 year'
                   THEN date_trunc('month', later.created_at AT TIME ZONE 'UTC')
                        = date_trunc('month', s.created_at AT TIME ZONE 'UTC')
                   ELSE date_trunc('day', later.created_at AT TIME ZONE 'UTC')
                        = date_trunc('day', s.created_at AT TIME ZONE 'UTC') END)
 LIMIT $2

-- name: snapshots_prune
DELETE FROM snapshots WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: raw_replies_doomed
-- The text alone: a verdict's scores are for ever.
SELECT ctid FROM judge_verdicts
 WHERE raw_reply IS NOT NULL AND judged_at < now() - make_interval(secs => 86400 * $1::float8)
 LIMIT $2

-- name: raw_replies_prune
UPDATE judge_verdicts SET raw_reply = NULL WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: submission_events_doomed
-- Events of submissions in a final state.
SELECT e.ctid
  FROM submission_events e
  JOIN submissions s ON s.id = e.submission_id
 WHERE e.at < now() - make_interval(secs => 86400 * $1::float8)
   AND s.state NOT IN ('accepted', 'scored')
   AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM judge_runs r
                    WHERE r.submission_id = s.id AND r.state IN ('queued', 'running', 'paused'))
 LIMIT $2

-- name: submission_events_prune
DELETE FROM submission_events WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: idempotency_keys_doomed
SELECT ctid FROM idempotency_keys
 WHERE created_at < now() - make_interval(secs => 86400 * $1::float8)
 LIMIT $2

-- name: idempotency_keys_prune
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: dead_letters_doomed
-- Those that were replayed or discarded; what nobody has looked at stays.
SELECT ctid FROM dead_letters
 WHERE coalesce(replayed_at, discarded_at) < now() - make_interval(secs => 86400 * $1::float8)
 LIMIT $2

-- name: dead_letters_prune
DELETE FROM dead_letters WHERE ctid = ANY(ARRAY(/* doomed */))
