-- name: server_version
SELECT current_setting('server_version_num')::integer

-- name: now
SELECT extract(epoch FROM clock_timestamp())::float8

-- name: connections
SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
       AS allowed,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used

-- name: open_dead_letters
SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL
