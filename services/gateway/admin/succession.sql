-- name: judge_in_force
SELECT s.judge_version, s.repeats, s.figures::text AS figures, v.is_stub
  FROM judge_service s
  JOIN judge_versions v ON v.hash = s.judge_version

-- name: candidates
-- Listed entries with judged values that are not of the judge $1, of one board or some entries, if asked; and why
-- one cannot be judged by it. `run_id`: its newest run whose pairs are known, by which its cost is estimated.
SELECT e.id AS entry_id, e.board, e.model_name, e.submission_id,
       CASE WHEN e.submission_id IS NULL THEN 'published'
            WHEN NOT EXISTS (SELECT FROM payloads p WHERE p.submission_id = e.submission_id) THEN 'file_gone'
            WHEN v.is_stub AND e.board = 'official' THEN 'stub_not_official'
       END AS reason,
       (SELECT r.id
          FROM judge_runs r
         WHERE r.submission_id = e.submission_id AND r.plan IS NOT NULL
         ORDER BY r.created_at DESC
         LIMIT 1) AS run_id
  FROM entries e
  JOIN judge_versions v ON v.hash = $1
 WHERE e.listed AND e.removed_at IS NULL
   AND ($2::text IS NULL OR e.board = $2)
   AND ($3::uuid[] IS NULL OR e.id = ANY ($3))
   AND EXISTS (SELECT FROM scores s
                WHERE s.entry_id = e.id AND s.metric IN ('dvc_llm', 'vs_llm', 'rc_llm')
                  AND s.compat IS NOT NULL AND s.judge_version IS DISTINCT FROM $1)
 ORDER BY e.name_key, e.id

-- name: pairs_of_runs
-- By member of the judge $1: how many distinct pairs these runs have, their bytes, and how many of its verdicts are
-- known.
SELECT m.member_version, count(t.sha256) AS pairs,
       coalesce(sum(octet_length(t.prediction) + octet_length(t.reference)), 0)::bigint AS bytes,
       coalesce(sum((SELECT count(*)
                       FROM judge_verdicts v
                      WHERE v.judge_version = m.member_version AND v.pair = t.sha256 AND v.repeat < $3
                        AND v.scores IS NOT NULL)), 0)::bigint AS known
  FROM judge_members m
  LEFT JOIN ((SELECT DISTINCT pair FROM judge_run_pairs WHERE run_id = ANY ($2::uuid[])) AS mine
             JOIN judge_pairs t ON t.sha256 = mine.pair) ON true
 WHERE m.judge_version = $1
 GROUP BY m.member, m.member_version
 ORDER BY m.member

-- name: job_add
INSERT INTO rescore_jobs (id, kind, state, ground_truth_version, judge_version, requested_by, why)
SELECT $1, 'succession', 'judging', version, $2, $3, $4
  FROM ground_truths
 WHERE active

-- name: items_add
INSERT INTO rescore_items (job_id, entry_id, submission_id)
SELECT $1, e.id, e.submission_id FROM entries e WHERE e.id = ANY ($2::uuid[]) ORDER BY e.id

-- name: runs_add
-- For those whose submission is not being judged now; the judge adds the others when it is not any more.
INSERT INTO judge_runs (id, submission_id, requested_by, repeats, job_id)
SELECT gen_random_uuid(), i.submission_id, 'administrator', v.repeats, i.job_id
  FROM rescore_items i
 CROSS JOIN judge_service v
 WHERE i.job_id = $1
 ORDER BY i.submission_id
ON CONFLICT (submission_id) WHERE state IN ('queued', 'running', 'paused') DO NOTHING
RETURNING id, submission_id

-- name: runs_lock
-- Before the job, in the order that all use.
SELECT id FROM judge_runs WHERE job_id = $1 ORDER BY id FOR UPDATE

-- name: runs_end
UPDATE judge_runs SET state = 'failed', reason = 'job_discarded', detail = 'its job was dropped.'
 WHERE job_id = $1 AND state IN ('queued', 'running', 'paused')
RETURNING id, submission_id

-- name: runs_of_job
SELECT coalesce(reason, state) AS state, count(*) AS runs
  FROM judge_runs
 WHERE job_id = $1 AND state IN ('queued', 'running', 'paused')
 GROUP BY 1
 ORDER BY 1

-- name: boards_of_job
SELECT DISTINCT e.board FROM rescore_items i JOIN entries e ON e.id = i.entry_id WHERE i.job_id = $1

-- name: entries_swapped
-- Entries of the job that are still there, and not where the judge's values may not be.
SELECT i.entry_id
  FROM rescore_items i
  JOIN entries e ON e.id = i.entry_id AND e.listed AND e.removed_at IS NULL
  JOIN judge_versions v ON v.hash = $2
 WHERE i.job_id = $1 AND i.state = 'scored'
   AND NOT (e.board = 'official' AND (v.is_stub OR i.is_confirmed IS FALSE))
 ORDER BY i.entry_id

-- name: entries_unranked
-- Whose judged values rank today and would count as missing where the boards of the entries $2 go over to the
-- judge $1: values of the board's series that the job does not replace.
SELECT e.id AS entry_id, e.board, e.model_name
  FROM entries e
  JOIN boards b ON b.board = e.board AND b.series IS DISTINCT FROM $1 AND b.other_judges = 'missing'
 WHERE e.listed AND e.removed_at IS NULL AND NOT e.id = ANY ($2::uuid[])
   AND e.board IN (SELECT board FROM entries WHERE id = ANY ($2::uuid[]))
   AND EXISTS (SELECT FROM scores s
                WHERE s.entry_id = e.id AND s.compat IS NOT NULL AND s.judge_version = b.series)
 ORDER BY e.board, e.name_key, e.id

-- name: scores_swap
INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,
                    ground_truth_version, metric_version, file_sha256, judge_version)
SELECT n.entry_id, n.metric, n.compat, n.strict, n.answered, n.expected, n.by_source,
       i.ground_truth_version, i.metric_version, s.file_sha256, $2
  FROM shadow_scores n
  JOIN rescore_items i ON i.job_id = n.job_id AND i.entry_id = n.entry_id
  JOIN submissions s ON s.id = i.submission_id
 WHERE n.job_id = $1 AND n.entry_id = ANY ($3::uuid[])
 ORDER BY n.entry_id, n.metric
ON CONFLICT (entry_id, metric) DO UPDATE
   SET compat = EXCLUDED.compat, strict = EXCLUDED.strict, answered = EXCLUDED.answered,
       expected = EXCLUDED.expected, by_source = EXCLUDED.by_source,
       ground_truth_version = EXCLUDED.ground_truth_version, metric_version = EXCLUDED.metric_version,
       file_sha256 = EXCLUDED.file_sha256, judge_version = EXCLUDED.judge_version

-- name: results_add
INSERT INTO judge_results (run_id, submission_id, judge_version, facts)
SELECT i.run_id, i.submission_id, $2, i.facts
  FROM rescore_items i
 WHERE i.job_id = $1 AND i.entry_id = ANY ($3::uuid[])
ON CONFLICT (run_id) DO NOTHING

-- name: badges_set
UPDATE entries e
   SET badges = ARRAY(SELECT badge FROM unnest(e.badges) WITH ORDINALITY AS each (badge, place)
                       WHERE badge <> ALL ($4::text[]) ORDER BY place)
                || CASE WHEN v.is_stub THEN ARRAY[($4::text[])[1]] ELSE '{}'::text[] END
                || CASE WHEN i.is_confirmed THEN '{}'::text[] ELSE ARRAY[($4::text[])[2]] END
                || CASE WHEN i.facts ? 'own_family' THEN ARRAY[($4::text[])[4]] ELSE '{}'::text[] END
  FROM rescore_items i
  JOIN judge_versions v ON v.hash = $2
 WHERE i.job_id = $1 AND i.entry_id = e.id AND e.id = ANY ($3::uuid[])

-- name: boards_go_over
UPDATE boards SET series = $1
 WHERE series IS DISTINCT FROM $1
   AND board IN (SELECT board FROM entries WHERE id = ANY ($2::uuid[]))
RETURNING board

-- name: entries_of_job
SELECT entry_id, state FROM rescore_items WHERE job_id = $1
