-- name: settings
-- Workers that build an index together share memory in /dev/shm, of which a container has 64 MB.
ALTER DATABASE postgres SET max_parallel_maintenance_workers = 0

-- name: take_time
-- Ranking a large board takes a while, in which the session does nothing.
SET LOCAL idle_in_transaction_session_timeout = 0

-- name: newest_content
SELECT content FROM snapshots WHERE board = $1 AND scoring = $2 ORDER BY id DESC LIMIT 1
