-- name: objection_entry
SELECT n.state, e.board, e.submission_id, e.listed AND e.removed_at IS NULL AS on_board
  FROM notes n
  JOIN entries e ON e.id = n.entry_id
 WHERE n.id = $1

-- name: objection_board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1

-- name: objection_tell
SELECT tell_watchers($1, 'objection', jsonb_build_object('state', $2::text, 'objection_id', $3::text))
