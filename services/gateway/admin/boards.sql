-- name: board_rankings
SELECT board, ranking FROM boards

-- name: board_ranking_lock
SELECT ranking FROM boards WHERE board = $1 FOR NO KEY UPDATE

-- name: board_ranking_set
UPDATE boards SET ranking = $2 WHERE board = $1


-- name: board_series
-- With the judge versions that it may go over to: of its values, and the one that judges now.
SELECT b.series, b.other_judges, b.published, b.revision, b.ranked_revision, j.judge_version AS service,
       ARRAY(SELECT s.judge_version
               FROM entries e
               JOIN scores s ON s.entry_id = e.id
              WHERE e.board = b.board AND e.listed AND e.removed_at IS NULL AND s.judge_version IS NOT NULL
              UNION
             SELECT j.judge_version WHERE j.judge_version IS NOT NULL
              ORDER BY 1) AS known
  FROM boards b
 CROSS JOIN judge_service j
 WHERE b.board = $1

-- name: board_newest
-- Its newest snapshot in each scoring.
SELECT s.scoring, newest.content, newest.unranked, coalesce(newest.ranking, 'competition') AS ranking
  FROM (VALUES ('compat'), ('strict')) AS s (scoring)
 CROSS JOIN LATERAL (
       SELECT content, unranked, ranking FROM snapshots
        WHERE snapshots.board = $1 AND snapshots.scoring = s.scoring
        ORDER BY id DESC
        LIMIT 1) AS newest

-- name: board_series_set
UPDATE boards SET series = $2, other_judges = $3, published = $4 WHERE board = $1
