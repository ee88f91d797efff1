-- name: judge_runs_lock
-- Before the entry: a run that closes locks itself first, and then writes the entry's scores.
SELECT r.id
  FROM judge_runs r
  JOIN entries e ON e.submission_id = r.submission_id
 WHERE e.id = $1 AND r.state IN ('queued', 'running', 'paused')
   FOR UPDATE OF r

-- name: entry_lock
-- Not so strong as to stop the rows that refer to it: the ranker writes those under the lock of the
-- board, which comes after this one.
SELECT id FROM entries WHERE id = $1 FOR NO KEY UPDATE

-- name: entry_find
SELECT e.id, e.board, e.model_name, e.organization, e.team, e.authors, e.model_url, e.track, e.badges,
       e.submission_id, e.submitted_on, e.verified_on, e.verification_note, e.listed, e.removed_at,
       s.contact, s.state AS submission_state, e.name_key, e.facts::text AS facts, e.facts_held,
       EXISTS (SELECT FROM scores c
                 JOIN judge_versions v ON v.hash = c.judge_version AND v.is_stub
                WHERE c.entry_id = e.id) AS stub_judged
  FROM entries e
  LEFT JOIN submissions s ON s.id = e.submission_id
 WHERE e.id = $1

-- name: entries_page
-- By name, so that a page continues where the last ended whatever is added.
SELECT e.id, e.board, e.model_name, e.organization, e.team, e.authors, e.model_url, e.track, e.badges,
       e.submission_id, e.submitted_on, e.verified_on, e.verification_note, e.listed, e.removed_at,
       s.contact, s.state AS submission_state, e.name_key, e.facts::text AS facts, e.facts_held,
       EXISTS (SELECT FROM scores c
                 JOIN judge_versions v ON v.hash = c.judge_version AND v.is_stub
                WHERE c.entry_id = e.id) AS stub_judged
  FROM entries e
  LEFT JOIN submissions s ON s.id = e.submission_id
 WHERE ($1::text IS NULL OR e.board = $1)
   AND ($2::text IS NULL OR e.name_key = $2)
   AND ($3 OR e.removed_at IS NULL)
   AND ($4::text IS NULL OR (e.name_key, e.id) > ($4, $5::uuid))
 ORDER BY e.name_key, e.id
 LIMIT $6

-- name: entry_save
-- An entry whose key is no name's (it waits, or is on no board) keeps that; and so does one that stays
-- where it is under its name, as it may have a key of an older rule.
UPDATE entries
   SET board = $2, model_name = $3,
       name_key = CASE WHEN name_key = E'\x1f' || id::text
                         OR (board = $2 AND model_name = $3 AND removed_at IS NOT DISTINCT FROM $14)
                       THEN name_key ELSE $4 END,
       organization = $5, team = $6, authors = $7, model_url = $8, track = $9, badges = $10, submitted_on = $11, verified_on = $12,
       verification_note = $13, removed_at = $14
 WHERE id = $1

-- name: contact_save
UPDATE submissions SET contact = $2 WHERE id = $1

-- name: note_erase
UPDATE submissions SET withdrawal_note = NULL WHERE id = $1

-- name: judge_runs_end
UPDATE judge_runs
   SET state = 'failed', reason = 'no_entry', detail = 'the entry was taken off the board.'
 WHERE submission_id = $1 AND state IN ('queued', 'running', 'paused')
RETURNING id

-- name: board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1
