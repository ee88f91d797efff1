-- name: largest
-- Rows as of the last vacuum or analysis; none before the first.
SELECT relname AS name, pg_total_relation_size(oid) AS bytes, greatest(reltuples, 0)::bigint AS rows
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
 ORDER BY bytes DESC, name
 LIMIT $1

-- name: all_bytes
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
