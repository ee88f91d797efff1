-- name: entries_gone
-- Of those that had a rank. Replaced ones are not among them: their models are on the board.
SELECT e.id, e.board AS board, e.model_name, e.organization, e.version, e.submitted_on,
       CASE WHEN s.state = 'withdrawn' THEN s.state ELSE 'removed' END AS state,
       e.removed_at AS at,
       CASE WHEN s.state = 'withdrawn' THEN s.withdrawn_by ELSE 'administrator' END AS by,
       CASE WHEN s.withdrawal_is_public THEN s.withdrawal_note END AS note,
       next.board AS next_board, next.id AS next_id,
       (SELECT json_agg(had ORDER BY had.scoring)
          FROM (SELECT scoring, min(rank) AS best, (array_agg(rank ORDER BY since_snapshot DESC))[1] AS last,
                       min(since) AS since, CASE WHEN bool_and(until IS NOT NULL) THEN max(until) END AS until
                  FROM rank_history
                 WHERE entry_id = e.id AND board = e.board
                 GROUP BY scoring) AS had)::text AS ranks
  FROM entries e
  LEFT JOIN submissions s ON s.id = e.submission_id
  LEFT JOIN LATERAL (
       SELECT id, board FROM entries newer
        WHERE newer.replaces = e.id AND newer.listed AND e.removed_at IS NOT NULL
           OR newer.id = e.id AND newer.removed_at IS NULL
        LIMIT 1) AS next ON true
 WHERE e.board = $1 AND e.removed_at IS NOT NULL AND NOT e.hypothetical
   AND s.state IS DISTINCT FROM 'replaced'
   AND EXISTS (SELECT FROM rank_history h WHERE h.entry_id = e.id AND h.board = e.board)
   AND ($2::timestamptz IS NULL OR (e.removed_at, e.id) < ($2, $3::uuid))
 ORDER BY e.removed_at DESC, e.id DESC
 LIMIT $4

-- name: entry_gone
-- Of one that had a rank on this board, and is not on it now. Next is the newest version, or itself elsewhere.
SELECT e.id, $1::text AS board, e.model_name, e.organization, e.version, e.submitted_on,
       CASE WHEN e.board <> $1::text AND e.removed_at IS NULL THEN 'moved'
            WHEN s.state IN ('withdrawn', 'replaced') THEN s.state
            ELSE 'removed' END AS state,
       e.removed_at AS at,
       CASE WHEN s.state = 'withdrawn' THEN s.withdrawn_by
            WHEN s.state IS DISTINCT FROM 'replaced' AND e.removed_at IS NOT NULL THEN 'administrator'
            END AS by,
       CASE WHEN s.withdrawal_is_public THEN s.withdrawal_note END AS note,
       next.board AS next_board, next.id AS next_id,
       (SELECT json_agg(had ORDER BY had.scoring)
          FROM (SELECT scoring, min(rank) AS best, (array_agg(rank ORDER BY since_snapshot DESC))[1] AS last,
                       min(since) AS since, CASE WHEN bool_and(until IS NOT NULL) THEN max(until) END AS until
                  FROM rank_history
                 WHERE entry_id = e.id AND board = $1::text
                 GROUP BY scoring) AS had)::text AS ranks
  FROM entries e
  LEFT JOIN submissions s ON s.id = e.submission_id
  LEFT JOIN LATERAL (
       WITH RECURSIVE newer AS (
            SELECT e.id, e.board, 0 AS steps, e.removed_at IS NULL AS is_there
            UNION ALL
            SELECT after.id, after.board, newer.steps + 1, true
              FROM newer
              JOIN entries after ON after.replaces = newer.id AND after.listed
             WHERE newer.steps > 0 OR NOT newer.is_there)
       SELECT id, board FROM newer WHERE is_there ORDER BY steps DESC LIMIT 1) AS next ON true
 WHERE e.id = $2 AND (e.removed_at IS NOT NULL OR e.board <> $1)
   AND EXISTS (SELECT FROM rank_history h WHERE h.entry_id = e.id AND h.board = $1)
