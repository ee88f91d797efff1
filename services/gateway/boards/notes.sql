-- name: entry_notes
-- Of each entry its newest.
SELECT found.*
  FROM unnest($1::uuid[]) AS asked (entry_id)
 CROSS JOIN LATERAL (
       SELECT * FROM public_notes
        WHERE public_notes.entry_id = asked.entry_id
        ORDER BY published_at DESC, id
        LIMIT 100) AS found

-- name: board_notes
-- Of the board as it is now, and errata of its snapshot; also such as do not stand any more.
SELECT * FROM public_notes
 WHERE entry_id IS NULL
   AND (kind = 'note' AND board = (SELECT board FROM snapshots WHERE id = $1) OR $1 IN (snapshot_id, corrected_by))
 ORDER BY published_at DESC, id
 LIMIT 100

-- name: snapshot_errata
SELECT * FROM public_notes
 WHERE $1 IN (snapshot_id, corrected_by)
 ORDER BY published_at DESC, id
 LIMIT 100

-- name: changes_newest
SELECT id, kind, board, at, before, after, snapshot_id
  FROM public_changes
 WHERE $1::text IS NULL OR board = $1
 ORDER BY at DESC, id
 LIMIT $2

-- name: notes_newest
SELECT * FROM public_notes
 WHERE entry_id IS NULL AND ($1::text IS NULL OR board = $1)
 ORDER BY changed_at DESC, id
 LIMIT $2
