-- name: wait_for_dump
-- The dump reads the snapshot of this session, which waits and must not be ended as an idle one.
SET LOCAL idle_in_transaction_session_timeout = 0

-- name: snapshot_export
SELECT pg_export_snapshot()

-- name: server_version
SELECT current_setting('server_version_num')::integer

-- name: rows_counter
-- Lives as long as the session.
CREATE OR REPLACE FUNCTION pg_temp.rows_of(relation regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', relation) INTO found;
    RETURN found;
END $$

-- name: rows_by_table
SELECT relname AS name, pg_temp.rows_of(oid::regclass) AS rows
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
 ORDER BY relname

-- name: tables
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')

-- name: migrations
SELECT number, name, sha256 FROM schema_migrations ORDER BY number

-- name: boards
SELECT DISTINCT ON (board, scoring) board || '/' || scoring AS board, content_sha256
  FROM snapshots
 ORDER BY board, scoring, id DESC
