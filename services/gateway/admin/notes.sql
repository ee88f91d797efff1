-- name: note_find
SELECT * FROM all_notes WHERE id = $1

-- name: note_lock
SELECT id FROM notes WHERE id = $1 FOR NO KEY UPDATE

-- name: notes_page
SELECT * FROM all_notes
 WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR state = $2)
   AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT $5

-- name: notes_open
SELECT count(*) FROM notes WHERE state = 'open'

-- name: note_add
-- Nothing where it stands already: an action that is repeated changes nothing.
INSERT INTO notes (kind, state, entry_id, board, snapshot_id, corrected_by, text, published_at)
VALUES ($1, 'published', $2, $3, $4, $5, $6, now())
ON CONFLICT DO NOTHING
RETURNING id

-- name: note_same
SELECT id FROM notes
 WHERE kind = $1 AND state = 'published' AND account IS NULL AND entry_id IS NOT DISTINCT FROM $2
   AND board IS NOT DISTINCT FROM $3 AND snapshot_id IS NOT DISTINCT FROM $4
   AND corrected_by IS NOT DISTINCT FROM $5 AND text = $6

-- name: note_publish
UPDATE notes SET state = 'published', published_at = now() WHERE id = $1

-- name: note_resolve
UPDATE notes SET state = 'resolved', resolved_at = now(), resolution = $2 WHERE id = $1

-- name: note_end
UPDATE notes SET state = $2, ended_at = now(), ended_by = 'administrator' WHERE id = $1

-- name: notes_erase
-- Texts may name what the entry's row names no longer.
UPDATE notes SET text = '', name = NULL, answer = left(answer, 0), resolution = left(resolution, 0)
 WHERE entry_id = $1

-- name: note_snapshots
SELECT id, board, scoring FROM snapshots WHERE id = ANY ($1::bigint[])

-- name: note_entry
SELECT id FROM entries WHERE id = $1 FOR KEY SHARE
