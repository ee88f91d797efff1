-- What an administrator set of a model's facts stays until an administrator releases it.

ALTER TABLE entries
    ADD COLUMN facts_held text[] NOT NULL DEFAULT '{}';     -- names of facts that owners cannot change

UPDATE entries
   SET facts_held = held.names
  FROM (SELECT entry_id, array_agg(fact ORDER BY fact) AS names
          FROM (SELECT DISTINCT ON (entry_id, fact) entry_id, fact, by
                  FROM fact_changes, jsonb_object_keys(after) AS fact
                 ORDER BY entry_id, fact, id DESC) AS newest
         WHERE by = 'administrator'
         GROUP BY entry_id) AS held
 WHERE entries.id = held.entry_id;
