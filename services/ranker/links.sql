-- name: lock_links
SELECT pg_advisory_xact_lock(hashtextextended('medvid links ' || $1::text, 6))

-- name: links_head
SELECT number, hash FROM links WHERE board = $1 ORDER BY number DESC LIMIT 1

-- name: unlinked
-- The documents of a board without a link, in the order in which they were written.
SELECT 'snapshot' AS kind, s.id AS snapshot_id, s.scoring, s.revision, s.ranking, s.disclosure, s.series::text AS series, s.entries,
       s.content_sha256 AS sha256, s.created_at, s.replicates_sha256, v.sha256 AS values_sha256, v.salt,
       NULL AS statistics_version
  FROM snapshots s
  LEFT JOIN snapshot_values v ON v.snapshot_id = s.id
 WHERE s.board = $1
   AND NOT EXISTS (SELECT FROM links WHERE links.snapshot_id = s.id AND links.kind = 'snapshot')
UNION ALL
SELECT 'statistics', s.id, s.scoring, NULL, NULL, NULL, NULL, NULL,
       t.sha256, t.created_at, NULL, NULL, NULL, t.statistics_version
  FROM snapshots s
  JOIN snapshot_statistics t ON t.snapshot_id = s.id
 WHERE s.board = $1
   AND NOT EXISTS (SELECT FROM links WHERE links.snapshot_id = s.id AND links.kind = 'statistics')
 ORDER BY created_at, snapshot_id, kind

-- name: add_link
INSERT INTO links (board, number, snapshot_id, kind, previous, body, key_id, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: add_signing_key
INSERT INTO signing_keys (key_id, public_key) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: boards_unlinked
SELECT DISTINCT s.board
  FROM snapshots s
  LEFT JOIN snapshot_statistics t ON t.snapshot_id = s.id
 WHERE NOT EXISTS (SELECT FROM links WHERE links.snapshot_id = s.id AND links.kind = 'snapshot')
    OR (t.snapshot_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM links WHERE links.snapshot_id = s.id AND links.kind = 'statistics'))
