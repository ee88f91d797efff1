-- in batches: run again and again, each time in a transaction of its own, until it changes no row.
-- Keys of the old rule become keys of the new one. Where two names are the same by the new rule, the
-- one that has the key by both rules holds it, else the earlier; the other keeps its old key, and
-- 'medvid admin doctor' lists the two. Removed entries get theirs when they are restored.
-- The order is that of the index of kept keys, so that a batch reads what it changes.
WITH free AS (
    SELECT DISTINCT ON (e.board, entries_name_key(e.name_key))
           e.id, entries_name_key(e.name_key) AS key
      FROM entries e
      LEFT JOIN submissions s ON s.id = e.submission_id
     WHERE e.removed_at IS NULL AND e.name_key <> entries_name_key(e.name_key)
       AND NOT EXISTS (SELECT FROM entries o
                        WHERE o.board = e.board AND o.name_key = entries_name_key(e.name_key)
                          AND o.removed_at IS NULL)
     ORDER BY e.board, entries_name_key(e.name_key), e.submitted_on, s.created_at NULLS FIRST, e.id
     LIMIT 500)
UPDATE entries SET name_key = free.key
  FROM free
 WHERE entries.id = free.id AND removed_at IS NULL
