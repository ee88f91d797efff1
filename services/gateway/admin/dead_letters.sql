-- name: letters_page
SELECT id, queue, message_id, type, reason, detail, attempts, body, died_at, replayed_at, discarded_at
  FROM dead_letters
 WHERE ($1::bigint IS NULL OR id < $1)
   AND ($2::text IS NULL OR queue = $2)
   AND ($3::text IS NULL OR reason = $3)
   AND CASE $4::text
            WHEN 'open' THEN replayed_at IS NULL AND discarded_at IS NULL
            WHEN 'replayed' THEN replayed_at IS NOT NULL
            WHEN 'discarded' THEN discarded_at IS NOT NULL
            ELSE true
       END
 ORDER BY id DESC
 LIMIT $5

-- name: letters_open
SELECT id
  FROM dead_letters
 WHERE replayed_at IS NULL AND discarded_at IS NULL
   AND ($1::text IS NULL OR queue = $1)
   AND ($2::text IS NULL OR reason = $2)
 ORDER BY id
 LIMIT $3

-- name: letter_lock
SELECT id, queue, message_id, type, reason, detail, attempts, body, died_at, replayed_at, discarded_at
  FROM dead_letters
 WHERE id = $1
   FOR UPDATE

-- name: letter_replayed
UPDATE dead_letters SET replayed_at = now() WHERE id = $1

-- name: letter_discarded
UPDATE dead_letters SET discarded_at = now() WHERE id = $1

-- name: replaying
-- For this transaction only: it may bring back what failed.
SELECT set_config('medvid.replaying', 'yes', true)

-- name: submission_revive
UPDATE submissions
   SET state = 'accepted', failure_code = NULL, failure_reason = NULL, announced_at = now()
 WHERE id = $1 AND state = 'failed'

-- name: submission_entry_revive
UPDATE entries SET removed_at = NULL WHERE submission_id = $1

-- name: run_revive
UPDATE judge_runs SET state = 'queued', reason = NULL, detail = NULL, announced_at = now()
 WHERE id = $1 AND state = 'failed'

-- name: rescore_item_revive
WITH job AS (
    UPDATE rescore_jobs
       SET state = 'scoring'
     WHERE id = $1 AND state IN ('scoring', 'scored', 'ready')
    RETURNING id)
UPDATE rescore_items i
   SET state = 'open', failure_code = NULL, failure_reason = NULL, announced_at = now()
  FROM job
 WHERE i.job_id = job.id AND i.entry_id = $2 AND i.state = 'failed'
