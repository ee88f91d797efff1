-- name: statistics_due
-- The newest snapshots of a board that have replicates and no statistics yet.
SELECT newest.id, newest.scoring, newest.ranking, newest.content, newest.replicates_sha256
  FROM (VALUES ('compat'), ('strict')) AS scorings (scoring)
 CROSS JOIN LATERAL (
       SELECT *
         FROM snapshots
        WHERE snapshots.board = $1 AND snapshots.scoring = scorings.scoring
        ORDER BY id DESC
        LIMIT 1) AS newest
 WHERE newest.replicates_sha256 IS NOT NULL
   AND NOT EXISTS (SELECT FROM snapshot_statistics WHERE snapshot_id = newest.id)

-- name: board_digests
SELECT r.scoring, r.entry_id, r.metric, r.digest
  FROM entries e
  JOIN current_replicates r ON r.entry_id = e.id
 WHERE e.board = $1 AND e.listed AND e.removed_at IS NULL AND r.statistics_version = $2
 ORDER BY r.entry_id, r.metric

-- name: board_replicates
SELECT r.entry_id, r.metric, r.digest, r.replicates, r.interval::text AS interval
  FROM entries e
  JOIN current_replicates r ON r.entry_id = e.id
 WHERE e.board = $1 AND e.listed AND e.removed_at IS NULL AND r.statistics_version = $2
   AND r.scoring = $3
 ORDER BY r.entry_id, r.metric

-- name: add_statistics
INSERT INTO snapshot_statistics (snapshot_id, statistics_version, content, sha256)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: statistics_overdue
SELECT DISTINCT boards.board, boards.ranked_revision AS revision
  FROM boards
 CROSS JOIN (VALUES ('compat'), ('strict')) AS scorings (scoring)
 CROSS JOIN LATERAL (
       SELECT id, replicates_sha256, created_at
         FROM snapshots
        WHERE snapshots.board = boards.board AND snapshots.scoring = scorings.scoring
        ORDER BY id DESC
        LIMIT 1) AS newest
 WHERE newest.replicates_sha256 IS NOT NULL
   AND newest.created_at < now() - make_interval(secs => $1)
   AND NOT EXISTS (SELECT FROM snapshot_statistics WHERE snapshot_id = newest.id)
