-- name: load_versions
SET session_replication_role = replica;
SET synchronous_commit = off;
SET work_mem = '256MB';
INSERT INTO judge_versions (hash, facts, is_stub) VALUES ('{version}', '{{}}', false);
INSERT INTO ground_truths (version, content, samples, active) VALUES ('{version}', '', 1, false)

-- name: load_entries
-- One for each run: every other one left its board two years ago.
INSERT INTO submissions (id, state, ground_truth_version, file_sha256, file_bytes, report, owner_token_sha256)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'ranked', '{version}', '{version}', 1, '{{}}', sha256('')
  FROM generate_series(1, {runs}) AS n;
INSERT INTO entries (id, board, model_name, organization, name_key, submission_id, listed, submitted_on, removed_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'community', 'Model ' || n, 'us', 'model ' || n,
       lpad(to_hex(n), 32, '0')::uuid, true, current_date,
       CASE WHEN n % 2 = 0 THEN now() - interval '2 years' END
  FROM generate_series(1, {runs}) AS n

-- name: load_verdicts
-- A hundred bytes of reply, without reasons: {rows} of them over two years.
INSERT INTO judge_pairs (sha256, prediction, reference)
SELECT sha256(int8send(n)), convert_to('a prediction ' || n, 'UTF8'), convert_to('a reference ' || n, 'UTF8')
  FROM generate_series(1, {rows}::bigint) AS n;
INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, raw_reply, model, attempts, judged_at)
SELECT '{version}', sha256(int8send(n)), 0, '{{3,4,2,5,1}}',
       convert_to(format('{{"R2": %s, "R4": %s, "R5": %s, "R7": 5, "R8": 1}}', n % 5, n % 3, n % 4), 'UTF8'),
       'gpt-4.1-2025-04-14', 1, now() - interval '2 years' * (1 - n / {rows}::float8)
  FROM generate_series(1, {rows}::bigint) AS n

-- name: load_runs
INSERT INTO judge_runs (id, submission_id, judge_version, state, requested_by, plan, items, items_done, changed_at,
                        created_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n), 32, '0')::uuid, '{version}', 'completed', 'owner', '', {a_run},
       {a_run}, now() - interval '2 years', now() - interval '2 years'
  FROM generate_series(1, {runs}) AS n;
-- Each pair in two runs: of those that go every other one is in a run that stays.
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, terminal)
SELECT lpad(to_hex(1 + n / {a_run}), 32, '0')::uuid, n % {a_run}, 0,
       sha256(int8send(1 + CASE WHEN n % 2 = 0 THEN n ELSE (n + {a_run}) % {rows}::bigint END)), '{{dvc_llm}}', 1, true
  FROM generate_series(0, {rows}::bigint - 1) AS n

-- name: load_history
-- A board of {ranked} entries ranked once an hour; its snapshots are thinned to one a day.
INSERT INTO snapshots (id, board, scoring, revision, content, content_sha256, entries, created_at)
OVERRIDING SYSTEM VALUE
SELECT n, 'community', 'compat', n, '[]', '{version}', {ranked}, now() - interval '1 hour' * ({snapshots} - n)
  FROM generate_series(1, {snapshots}) AS n;
INSERT INTO rank_history (entry_id, board, scoring, rank, entered, since_snapshot, since, until_snapshot, until)
SELECT lpad(to_hex(e), 32, '0')::uuid, 'community', 'compat', 1 + (e * 7919 + n * 104729) % {ranked}, n = 1, n,
       now() - interval '1 hour' * ({snapshots} - n), nullif(n, {snapshots}) + 1,
       CASE WHEN n < {snapshots} THEN now() - interval '1 hour' * ({snapshots} - n - 1) END
  FROM generate_series(1, {ranked}) AS e, generate_series(1, {snapshots}) AS n

-- name: load_figures
SET session_replication_role = DEFAULT;
ANALYZE

-- name: bytes_of_index
SELECT pg_relation_size('judge_run_pairs_pair')

-- name: locks_held
-- The strongest lock on a table or row of one that other sessions hold, while they are at work.
SELECT DISTINCT l.mode
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = 'public'::regnamespace
 WHERE l.pid <> pg_backend_pid() AND l.granted
