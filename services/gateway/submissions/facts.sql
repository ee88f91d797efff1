-- name: entry_facts_lock
-- As administrators lock an entry: not so strong as to stop the rows that refer to it.
SELECT id, board, facts::text AS facts, facts_held, listed, removed_at
  FROM entries
 WHERE submission_id = $1
   FOR NO KEY UPDATE

-- name: own_changes_of_day
SELECT count(*) AS used, coalesce(extract(epoch FROM now() - min(at)), 0)::float8 AS seconds
  FROM fact_changes
 WHERE entry_id = $1 AND by = 'owner' AND at > now() - interval '24 hours'
