-- name: entries
-- So many listed entries; a tenth of the judged values is missing.
WITH made AS (
    INSERT INTO entries (id, board, model_name, name_key, organization, submitted_on, listed)
    SELECT gen_random_uuid(), 'community', 'Model ' || n, 'model ' || n, 'Organization ' || n % 500,
           '2026-01-01', true
      FROM generate_series($1::integer, $2::integer) AS n
    RETURNING id
)
INSERT INTO scores (entry_id, metric, compat, strict)
SELECT made.id, metric, value, value * 0.9
  FROM made
 CROSS JOIN unnest(ARRAY['cvs_acc', 'nap_acc', 'sa_acc', 'stg_miou', 'tag_miou_03', 'tag_miou_05',
                         'dvc_f1', 'dvc_llm', 'vs_llm', 'rc_llm']) AS metric
 CROSS JOIN LATERAL (SELECT $3::float8 + $4::float8 * random() AS value
                       WHERE made.id IS NOT NULL) AS drawn   -- a draw for each row
 WHERE metric NOT LIKE '%\_llm' OR random() > 0.1

-- name: changed
UPDATE boards SET revision = revision + 1 WHERE board = 'community' RETURNING revision

-- name: touched
-- Locks what a change locks, and changes nothing.
UPDATE boards SET revision = revision WHERE board = 'community' RETURNING ranked_revision

-- name: written
-- Bytes of WAL so far, and rows of rank history.
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS wal,
       (SELECT count(*) FROM rank_history) AS history

-- name: content_bytes
-- As it is served, and as it is stored.
SELECT octet_length(content) AS served, pg_column_size(content) AS stored
  FROM snapshots
 WHERE board = 'community'
 ORDER BY id DESC
 LIMIT 1
