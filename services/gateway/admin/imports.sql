-- name: board_entries
-- With every metric's value in the order of the names given, so that rows are built without guessing.
SELECT e.id, e.board, e.model_name, e.organization, e.team, e.authors, e.model_url, e.track, e.badges,
       e.submitted_on, e.verified_on, e.verification_note, e.submission_id IS NOT NULL AS scored,
       e.facts::text AS facts,
       (SELECT array_agg(s.compat ORDER BY m.n)
          FROM unnest($2::text[]) WITH ORDINALITY AS m (metric, n)
          LEFT JOIN scores s ON s.entry_id = e.id AND s.metric = m.metric) AS compat,
       (SELECT array_agg(s.strict ORDER BY m.n)
          FROM unnest($2::text[]) WITH ORDINALITY AS m (metric, n)
          LEFT JOIN scores s ON s.entry_id = e.id AND s.metric = m.metric) AS strict
  FROM entries e
 WHERE e.board = $1 AND e.listed AND e.removed_at IS NULL
 ORDER BY e.name_key

-- name: board_entries_lock
SELECT id FROM entries WHERE board = $1 AND removed_at IS NULL ORDER BY id FOR NO KEY UPDATE

-- name: entry_add
INSERT INTO entries (id, board, model_name, name_key, organization, team, authors, model_url, track,
                     badges, submitted_on, verified_on, verification_note, listed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, true)

-- name: entry_update
UPDATE entries
   SET model_name = $3, name_key = CASE WHEN model_name = $3 THEN name_key ELSE $4 END, organization = $5, team = $6, authors = $7, model_url = $8,
       track = $9, badges = $10, submitted_on = $11, verified_on = $12, verification_note = $13
 WHERE id = $1 AND board = $2

-- name: given_score_put
-- A number from a publication: it has no provenance, and scores of a submission stay as they are.
INSERT INTO scores (entry_id, metric, compat, strict)
VALUES ($1, $2, $3, $4)
ON CONFLICT (entry_id, metric) DO UPDATE
   SET compat = EXCLUDED.compat, strict = EXCLUDED.strict
 WHERE scores.metric_version IS NULL
