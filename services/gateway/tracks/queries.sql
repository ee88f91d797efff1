-- name: track_lock
-- Freezing a track waits for the submissions to it that are being stored, and keeps out others.
SELECT pg_advisory_xact_lock(hashtextextended('medvid track ' || $1::text, 6))

-- name: track_lock_shared
SELECT pg_advisory_xact_lock_shared(hashtextextended('medvid track ' || $1::text, 6))

-- name: is_frozen
SELECT EXISTS (SELECT FROM track_finals WHERE track = $1)

-- name: finals
SELECT track, name, scoring, snapshot_id, frozen_at FROM track_finals ORDER BY track, scoring

-- name: freeze
-- The board's newest snapshots become the final ones of a track ($1, by its name $2), once they show
-- all that counts: no submission to it waits for scores or for its place, no run that was asked for
-- before its end ($3) is under way, and the board is ranked as it is. A new version that waits for
-- its judging holds nothing up: the version before is on the board.
INSERT INTO track_finals (track, name, scoring, snapshot_id)
SELECT $1, $2, s.scoring, newest.id
  FROM (VALUES ('compat'), ('strict')) AS s (scoring)
 CROSS JOIN LATERAL (
       SELECT id FROM snapshots
        WHERE board = 'community' AND snapshots.scoring = s.scoring
        ORDER BY id DESC
        LIMIT 1) AS newest
 WHERE (SELECT ranked_revision >= revision FROM boards WHERE board = 'community')
   AND NOT EXISTS (
       SELECT FROM entries
         JOIN submissions ON submissions.id = entries.submission_id
        WHERE entries.track = $2 AND entries.removed_at IS NULL
          AND (submissions.state = 'accepted'
               OR submissions.state = 'scored' AND (entries.listed OR entries.hypothetical)))
   AND NOT EXISTS (
       SELECT FROM entries
         JOIN judge_runs ON judge_runs.submission_id = entries.submission_id
        WHERE entries.track = $2 AND entries.removed_at IS NULL
          AND judge_runs.state IN ('queued', 'running', 'paused') AND judge_runs.created_at < $3)
ON CONFLICT DO NOTHING
RETURNING scoring, snapshot_id

-- name: left_since
-- Of these entries of the community board, those that are not on it any more, and why.
SELECT e.id AS entry_id,
       CASE WHEN e.removed_at IS NULL THEN 'moved'
            WHEN s.state IN ('withdrawn', 'replaced') THEN s.state
            ELSE 'removed' END AS state,
       e.removed_at AS at
  FROM entries e
  LEFT JOIN submissions s ON s.id = e.submission_id
 WHERE e.id = ANY($1::uuid[]) AND (e.removed_at IS NOT NULL OR e.board <> 'community')
 ORDER BY e.removed_at, e.id
