-- name: add_entry
INSERT INTO entries (id, board, model_name, name_key, organization, team, authors, model_url, track,
                     submitted_on, verified_on, listed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
        CASE WHEN $2 = 'official' THEN $10::date END, true)
ON CONFLICT (board, name_key) WHERE removed_at IS NULL DO NOTHING

-- name: add_given_score
-- A number from a publication: compat by definition; no strict value is known, no provenance.
INSERT INTO scores (entry_id, metric, compat) VALUES ($1, $2, $3)

-- name: board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1
