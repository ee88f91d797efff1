-- name: account_lock
SELECT pg_advisory_xact_lock(hashtextextended('objections of ' || $1::text, 6))

-- name: entry_on_board
SELECT id, submission_id FROM entries
 WHERE id = $1 AND board = $2 AND listed AND removed_at IS NULL
   FOR KEY SHARE

-- name: objections_of_day
SELECT count(*) AS used, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS seconds
  FROM notes
 WHERE account = $1 AND created_at > now() - interval '24 hours'

-- name: objection_open
SELECT id, text, name FROM notes WHERE account = $1 AND entry_id = $2 AND state = 'open'

-- name: objections_waiting
SELECT count(*) FROM notes WHERE entry_id = $1 AND state = 'open'

-- name: objection_add
INSERT INTO notes (kind, state, entry_id, account, text, name)
VALUES ('objection', 'open', $1, $2, $3, $4)
RETURNING id

-- name: objection_lock
SELECT id FROM notes WHERE id = $1 AND kind = 'objection' FOR NO KEY UPDATE

-- name: objection_find
-- With all of its texts; who asks is looked at before anything is answered.
SELECT * FROM all_notes WHERE id = $1 AND kind = 'objection'

-- name: objections_of_account
SELECT * FROM all_notes WHERE account = $1 ORDER BY created_at DESC, id LIMIT 100

-- name: objection_withdraw
UPDATE notes SET state = 'withdrawn', ended_at = now(), ended_by = 'participant' WHERE id = $1

-- name: objection_answer
UPDATE notes SET answer = $2, answered_at = now() WHERE id = $1
