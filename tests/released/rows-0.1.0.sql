-- Rows as version 0.1.0 left them, for backups of it: {entries} of the community's board with {bytes} bytes of upload
-- each, judged, ranked, one withdrawn, one evaluated only. Entry n is n-th by every metric.

-- name: ground_truth
INSERT INTO ground_truths (version, content, samples, active) VALUES (repeat('ab', 32), 'packed', 10, true)

-- name: judge
WITH made AS (
    INSERT INTO judge_versions (hash, facts, is_stub)
    VALUES (repeat('cd', 32), '{{"model": "a-model", "parser": "1"}}', false)
    RETURNING hash)
UPDATE judge_service SET judge_version = made.hash FROM made

-- name: keys
INSERT INTO api_keys (id, label, owner, key_sha256, scopes, created_by)
VALUES ('00000000-0000-4000-8000-000000000001', 'A label', 'Us', sha256('key'), '{{submit,judge}}', 'administrator')

-- name: submissions
INSERT INTO submissions (id, ground_truth_version, file_sha256, file_bytes, report, owner_token_sha256, key_id)
SELECT ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, repeat('ab', 32),
       encode(sha256(int4send(n)), 'hex'), 1000, '{{"samples": 10, "tasks": []}}', sha256(int4send(n)),
       CASE WHEN n % 2 = 0 THEN '00000000-0000-4000-8000-000000000001'::uuid END
  FROM generate_series(1, {entries}::integer + 2) AS n

-- name: payloads
INSERT INTO payloads (submission_id, content)
SELECT ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, packed.content
  FROM generate_series(1, {entries}::integer + 2) AS n
 CROSS JOIN LATERAL (      -- packed files do not compress
       SELECT string_agg(sha256(int8send(n::bigint << 20 | part)), '') AS content
         FROM generate_series(1, greatest(1, {bytes} / 32)) AS part) AS packed

-- name: entries
-- The second after the last was withdrawn, the one before it is on no board.
INSERT INTO entries (id, board, model_name, name_key, organization, submission_id, submitted_on, listed, hypothetical)
SELECT id, 'community', 'Model ' || n, CASE WHEN n = {entries} + 1 THEN E'\x1f' || id ELSE 'model ' || n END,
       'Organization ' || n % 50, ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, '2026-01-01',
       n <> {entries} + 1, n = {entries} + 1
  FROM (SELECT n, ('00000000-0000-4000-a000-' || lpad(to_hex(n), 12, '0'))::uuid AS id
          FROM generate_series(1, {entries}::integer + 2) AS n) AS numbered

-- name: scores
INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, ground_truth_version, metric_version,
                    file_sha256, judge_version)
SELECT e.id, m.metric, m.best * v.value, m.best * v.value * 0.5, 900, 1000, repeat('ab', 32), '1', s.file_sha256,
       CASE WHEN m.best > 1 THEN repeat('cd', 32) END
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM entries) AS e
  JOIN submissions s ON s.id = e.submission_id
 CROSS JOIN LATERAL (SELECT 1 - e.n::float8 / ({entries} + 3) AS value) AS v
 CROSS JOIN (VALUES ('cvs_acc', 1), ('nap_acc', 1), ('sa_acc', 1), ('stg_miou', 1), ('tag_miou_03', 1),
                    ('tag_miou_05', 1), ('dvc_f1', 1), ('dvc_llm', 5), ('vs_llm', 5), ('rc_llm', 5))
       AS m (metric, best)

-- name: scored
UPDATE submissions SET state = 'scored'

-- name: ranked
UPDATE submissions SET state = 'ranked'

-- name: withdrawn
WITH gone AS (
    UPDATE entries SET removed_at = now() WHERE model_name = 'Model ' || {entries} + 2 RETURNING submission_id)
UPDATE submissions SET state = 'withdrawn', withdrawn_by = 'owner', withdrawal_note = 'A mistake.'
  FROM gone
 WHERE id = gone.submission_id

-- name: snapshots
WITH boards_ranked AS (
    UPDATE boards SET revision = 7, ranked_revision = 7 WHERE board = 'community'
), shown AS (
    SELECT convert_to(jsonb_agg(jsonb_build_object('rank', n, 'entry_id', id, 'model_name', model_name)
                                ORDER BY n)::text, 'UTF8') AS content, count(*) AS entries
      FROM (SELECT row_number() OVER (ORDER BY id) AS n, * FROM entries
             WHERE listed AND removed_at IS NULL) AS listed)
INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries)
SELECT 'community', scoring, 7, content, encode(sha256(content), 'hex'), entries
  FROM shown
 CROSS JOIN (VALUES ('compat'), ('strict')) AS both_of (scoring)

-- name: rank_history
INSERT INTO rank_history (entry_id, board, scoring, rank, entered, since_snapshot, since)
SELECT e.id, 'community', s.scoring, row_number() OVER (PARTITION BY s.scoring ORDER BY e.id), true, s.id, s.created_at
  FROM entries e
 CROSS JOIN snapshots s
 WHERE e.listed AND e.removed_at IS NULL

-- name: pairs
INSERT INTO judge_pairs (sha256, prediction, reference)
SELECT sha256(int4send(n)), convert_to('The surgeon dissects tissue ' || n, 'UTF8'),
       convert_to('The grasper retracts the liver ' || n, 'UTF8')
  FROM generate_series(1, {entries}::integer * 10) AS n

-- name: verdicts
INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, raw_reply, model, attempts)
SELECT repeat('cd', 32), sha256, 0, '{{3,4,2,5,1}}', 'R2: 3 R4: 4 R5: 2 R7: 5 R8: 1', 'a-model', 1 FROM judge_pairs

-- name: runs
INSERT INTO judge_runs (id, submission_id, judge_version, state, requested_by, plan, items, items_done)
SELECT ('00000000-0000-4000-b000-' || lpad(to_hex(n), 12, '0'))::uuid,
       ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, repeat('cd', 32), 'completed', 'owner', 'plan', 10, 10
  FROM generate_series(1, {entries}::integer) AS n

-- name: run_pairs
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, terminal)
SELECT ('00000000-0000-4000-b000-' || lpad(to_hex(1 + (n - 1) / 10), 12, '0'))::uuid, (n - 1) % 10, 0,
       sha256(int4send(n)), '{{dvc_llm}}', 1, true
  FROM generate_series(1, {entries}::integer * 10) AS n

-- name: results
INSERT INTO judge_results (run_id, submission_id, judge_version, facts)
SELECT id, submission_id, judge_version, '{{}}' FROM judge_runs

-- name: uses
INSERT INTO quota_uses (account, kind, submission_id)
SELECT 'key:00000000-0000-4000-8000-000000000001', 'submission', id FROM submissions WHERE key_id IS NOT NULL

-- name: audit
INSERT INTO audit_log (who, action, subject_kind, subject, why, request_id)
VALUES ('administrator', 'entry_renamed', 'entry', '00000000-0000-4000-a000-000000000001', 'A typo.', 'a-request')
