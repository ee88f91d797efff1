-- name: evidence_of_snapshot
-- The links of a snapshot, and what is kept of it; links alone where it was thinned out.
SELECT l.board, l.last, l.has_statistics,
       s.scoring, s.content, s.unranked, v.content AS values,
       CASE WHEN l.has_statistics THEN t.content END AS statistics
  FROM (SELECT board, max(number) AS last, bool_or(kind = 'statistics') AS has_statistics
          FROM links
         WHERE snapshot_id = $1
         GROUP BY board) AS l
  LEFT JOIN snapshots s ON s.id = $1
  LEFT JOIN snapshot_values v ON v.snapshot_id = s.id
  LEFT JOIN snapshot_statistics t ON t.snapshot_id = s.id

-- name: evidence_chain
SELECT body, key_id, signature FROM links WHERE board = $1 AND number <= $2 ORDER BY number

-- name: evidence_last
SELECT l.board, max(l.number) AS last, EXISTS (SELECT FROM snapshots WHERE id = $1) AS is_kept
  FROM links l
 WHERE l.snapshot_id = $1
 GROUP BY l.board

-- name: snapshot_is_there
SELECT EXISTS (SELECT FROM snapshots WHERE id = $1 AND board = $2)

-- name: signing_keys
SELECT key_id, public_key, first_used_at FROM signing_keys ORDER BY first_used_at, key_id
