-- name: prepare
-- Triggers are off, as they would check ten million references that are true by construction; rows
-- come in the order of their keys, so that indexes grow at their end.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET work_mem = '256MB';

-- name: versions
INSERT INTO judge_versions VALUES ('{version}', '{{}}', false);
INSERT INTO ground_truths (version, content, samples, active) VALUES ('{version}', '', 1, false);
UPDATE judge_service SET judge_version = '{version}';

-- name: submissions
INSERT INTO submissions (id, state, ground_truth_version, file_sha256, file_bytes, report,
                         owner_token_sha256)
SELECT lpad(to_hex(run), 32, '0')::uuid, 'ranked', '{version}', '{version}', 1, '{{}}', sha256('')
  FROM generate_series(1, {runs} + 1) AS run

-- name: pairs
INSERT INTO judge_pairs (sha256, prediction, reference)
SELECT sha256(int8send(i)),
       convert_to(repeat('the surgeon dissects tissue ', 3) || i, 'UTF8'),
       convert_to(repeat('the grasper retracts the liver ', 3) || i, 'UTF8')
  FROM generate_series(1, {pairs}::bigint) AS i
 ORDER BY 1

-- name: verdicts
INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, raw_reply, model, prompt_tokens,
                            completion_tokens, latency_ms, attempts, cost_microusd, judged_at)
SELECT '{version}', sha256, 0, '{{3,4,2,5,1}}',
       convert_to('{{"R2": 3, "R4": 4, "R5": 2, "R7": 5, "R8": 1}}', 'UTF8'),
       'gpt-4.1-2025-04-14', 700, 40, 900, 1, 1720,
       now() - interval '1 day' - interval '1 second' * ({pairs} - row_number() OVER ())
  FROM judge_pairs

-- name: runs
INSERT INTO judge_runs (id, submission_id, judge_version, state, requested_by, plan, items,
                        items_done, changed_at, progress_at)
SELECT lpad(to_hex((1::bigint << 40) + run), 32, '0')::uuid, lpad(to_hex(run), 32, '0')::uuid,
       '{version}', 'completed', 'owner', '', {a_run}, {a_run},
       now() - interval '1 day', now() - interval '1 day'
  FROM generate_series(1, {runs}) AS run

-- name: batches
INSERT INTO judge_batches (run_id, state, sent_at)
SELECT lpad(to_hex((1::bigint << 40) + run), 32, '0')::uuid, 'done', now() - interval '1 day'
  FROM generate_series(1, {runs}) AS run, generate_series(1, {a_run} / {a_batch})

-- name: run_pairs
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, batch_id, terminal)
SELECT lpad(to_hex((1::bigint << 40) + 1 + (n - 1) / {a_run}), 32, '0')::uuid,
       (n - 1) % {a_run}, 0, sha256, '{{dvc_llm}}', 1, 1 + (n - 1) / {a_batch}, true
  FROM (SELECT row_number() OVER () AS n, sha256 FROM judge_pairs) AS numbered

-- name: open_run
-- One run is under way.
INSERT INTO judge_runs (id, submission_id, judge_version, state, requested_by, plan, items, owner)
VALUES ('{open_run}', lpad(to_hex({runs} + 1), 32, '0')::uuid, '{version}', 'running', 'owner', '',
        {a_run}, 'organization:us')

-- name: open_batches
INSERT INTO judge_batches (run_id, state, sent_at)
SELECT '{open_run}', CASE WHEN n <= 64 THEN 'sent' ELSE 'planned' END, CASE WHEN n <= 64 THEN now() END
  FROM generate_series(1, {a_run} / {a_batch}) AS n

-- name: open_pairs
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, batch_id)
SELECT '{open_run}', n, 0, sha256, '{{dvc_llm}}', 1,
       (SELECT min(id) FROM judge_batches WHERE run_id = '{open_run}') + n / {a_batch}
  FROM (SELECT row_number() OVER () - 1 AS n, sha256 FROM judge_pairs LIMIT {a_run}) AS again
