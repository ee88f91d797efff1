-- name: snapshot_at
SELECT id FROM snapshots
 WHERE board = $1 AND scoring = $2 AND created_at <= $3
 ORDER BY id DESC
 LIMIT 1

-- name: snapshot_find
SELECT id, board, scoring, revision, content, created_at FROM snapshots WHERE id = $1
