-- name: sent
-- The file of an entry by its id, or by its model's name on the boards.
SELECT e.id, e.model_name, e.board, s.ground_truth_version, s.file_sha256, p.content AS payload
  FROM entries e
  JOIN submissions s ON s.id = e.submission_id
  JOIN payloads p ON p.submission_id = s.id
 WHERE e.id = $1 OR (e.name_key = $2 AND e.listed AND e.removed_at IS NULL)
