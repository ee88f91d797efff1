-- name: lock_board
SELECT revision, ranked_revision FROM boards WHERE board = $1 FOR UPDATE

-- name: listed_entries
SELECT entries.id, submission_id, model_name, organization, team, authors, model_url, track, badges,
       submitted_on, verified_on,
       coalesce(array_agg(metric ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS metrics,
       coalesce(array_agg(compat ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS compat,
       coalesce(array_agg(strict ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS strict
  FROM entries
  LEFT JOIN scores ON scores.entry_id = entries.id
 WHERE board = $1 AND listed AND removed_at IS NULL
 GROUP BY entries.id

-- name: add_snapshot
INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries)
SELECT $1, $2, $3, $4, $5, $6
 WHERE $5 IS DISTINCT FROM (
       SELECT content_sha256 FROM snapshots
        WHERE board = $1 AND scoring = $2
        ORDER BY id DESC
        LIMIT 1)

-- name: board_ranked
UPDATE boards SET ranked_revision = $2 WHERE board = $1

-- name: submissions_ranked
UPDATE submissions
   SET state = 'ranked'
  FROM entries
 WHERE entries.submission_id = submissions.id
   AND entries.board = $1
   AND entries.listed
   AND submissions.state = 'scored'

-- name: boards_behind
SELECT board
  FROM boards
 WHERE ranked_revision < revision
