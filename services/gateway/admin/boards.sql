-- name: board_rankings
SELECT board, ranking FROM boards

-- name: board_ranking_lock
SELECT ranking FROM boards WHERE board = $1 FOR NO KEY UPDATE

-- name: board_ranking_set
UPDATE boards SET ranking = $2 WHERE board = $1
