-- name: facts_save
-- `$3`: the names of those that are held from now on.
UPDATE entries
   SET facts = $2::text::jsonb,
       facts_held = ARRAY(SELECT DISTINCT unnest(facts_held || $3::text[]) ORDER BY 1)
 WHERE id = $1

-- name: facts_hold_only
UPDATE entries SET facts_held = ARRAY(SELECT unnest(facts_held) INTERSECT SELECT unnest($2::text[]) ORDER BY 1)
 WHERE id = $1

-- name: facts_of_waiting
SELECT id, facts::text AS facts FROM entries WHERE replaces = $1 AND pending AND removed_at IS NULL FOR NO KEY UPDATE

-- name: fact_change_add
INSERT INTO fact_changes (entry_id, by, before, after) VALUES ($1, $2, $3::text::jsonb, $4::text::jsonb)

-- name: fact_changes_delete
DELETE FROM fact_changes WHERE entry_id = $1
