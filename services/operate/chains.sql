-- name: chain_broken
-- The first link that does not follow the one before it, or is about another than its row says.
SELECT board, number
  FROM (SELECT *, lag(number) OVER chain AS number_before, lag(encode(sha256(body), 'hex')) OVER chain AS hash_before
          FROM links
        WINDOW chain AS (PARTITION BY board ORDER BY number)) AS link
 WHERE number <> coalesce(number_before, 0) + 1
    OR previous IS DISTINCT FROM hash_before
    OR NOT convert_from(body, 'UTF8')::jsonb @> jsonb_build_object(
           'board', board, 'number', number, 'snapshot', snapshot_id, 'kind', kind, 'previous', previous)
 ORDER BY board, number
 LIMIT 1

-- name: documents_changed
-- What boards show now, where it has not the hash that its link names.
SELECT l.board, l.number, s.id
  FROM boards
 CROSS JOIN (VALUES ('compat'), ('strict')) AS scorings (scoring)
 CROSS JOIN LATERAL (
       SELECT id, content, unranked FROM snapshots
        WHERE snapshots.board = boards.board AND snapshots.scoring = scorings.scoring
        ORDER BY id DESC
        LIMIT 1) AS s
  LEFT JOIN snapshot_values v ON v.snapshot_id = s.id
  LEFT JOIN snapshot_statistics t ON t.snapshot_id = s.id
  JOIN links l ON l.snapshot_id = s.id
 CROSS JOIN LATERAL (SELECT convert_from(l.body, 'UTF8')::jsonb -> 'content' AS named) AS link
 WHERE CASE l.kind
       WHEN 'statistics' THEN link.named ->> 'sha256' IS DISTINCT FROM encode(sha256(t.content), 'hex')
       ELSE link.named ->> 'rows_sha256' <> encode(sha256(s.content || coalesce(s.unranked, '')), 'hex')
            OR link.named ->> 'values_sha256' IS DISTINCT FROM encode(sha256(v.content), 'hex') END
 ORDER BY l.board, l.number
 LIMIT 1

-- name: documents_unlinked
-- Those that rankers should have linked by now.
SELECT count(*)
  FROM (SELECT id, 'snapshot' AS kind, created_at FROM snapshots
        UNION ALL SELECT snapshot_id, 'statistics', created_at FROM snapshot_statistics) AS document
 WHERE created_at < now() - make_interval(secs => $1)
   AND NOT EXISTS (SELECT FROM links WHERE links.snapshot_id = document.id AND links.kind = document.kind)

-- name: chain_heads
SELECT DISTINCT ON (board) board, number, body, l.key_id, signature, public_key
  FROM links l
  LEFT JOIN signing_keys k ON k.key_id = l.key_id
 ORDER BY board, number DESC
