-- name: judge_version
-- The one whose hash begins so; without a beginning the judge in force.
SELECT v.hash, v.facts::text AS facts, v.is_stub
  FROM judge_versions v
 WHERE CASE WHEN $1::text IS NULL THEN v.hash = (SELECT judge_version FROM judge_service)
            ELSE starts_with(v.hash, $1) END
 LIMIT 2

-- name: judge_version_add
INSERT INTO judge_versions (hash, facts, is_stub) VALUES ($1, $2::text::jsonb, $3) ON CONFLICT DO NOTHING

-- name: job_add
INSERT INTO rescore_jobs (id, kind, state, ground_truth_version, judge_version, from_judge_version,
                          requested_by, why)
SELECT $1, 'reread', 'reading', version, $2, $3, $4, $5
  FROM ground_truths
 WHERE active

-- name: items_add
-- Every listed entry with values of that judge, and the newest run that gave them; of one board or some
-- entries, if asked.
INSERT INTO rescore_items (job_id, entry_id, submission_id, run_id)
SELECT $1, e.id, e.submission_id, r.id
  FROM entries e
 CROSS JOIN LATERAL (
       SELECT id
         FROM judge_runs
        WHERE submission_id = e.submission_id AND judge_version = $2 AND state = 'completed'
        ORDER BY created_at DESC
        LIMIT 1) AS r
 WHERE e.listed AND e.removed_at IS NULL
   AND ($3::text IS NULL OR e.board = $3)
   AND ($4::uuid[] IS NULL OR e.id = ANY ($4))
   AND EXISTS (SELECT FROM scores s WHERE s.entry_id = e.id AND s.judge_version = $2)
 ORDER BY e.id
RETURNING entry_id

-- name: runs_add
-- What was read again is a run of the new version that asked for nothing: of every entry that is still there
-- with values of the version before.
WITH read AS (
    SELECT i.entry_id, i.run_id, i.facts, gen_random_uuid() AS id
      FROM rescore_items i
      JOIN entries e ON e.id = i.entry_id AND e.listed AND e.removed_at IS NULL
     WHERE i.job_id = $1 AND i.state = 'scored'
       AND EXISTS (SELECT FROM scores s WHERE s.entry_id = i.entry_id AND s.judge_version = $3)
     ORDER BY i.entry_id
), runs AS (
    INSERT INTO judge_runs (id, submission_id, judge_version, state, requested_by, repeats, plan, items,
                            items_cached, items_done, items_unscored, reply_form)
    SELECT read.id, r.submission_id, $2, 'completed', 'administrator', r.repeats, r.plan, r.items,
           r.items, r.items,
           (SELECT count(*)
              FROM judge_run_pairs p
             WHERE p.run_id = r.id AND NOT EXISTS (
                   SELECT FROM judge_verdicts v
                    WHERE v.judge_version = $2 AND v.pair = p.pair AND v.repeat = p.repeat
                      AND v.scores IS NOT NULL)),
           r.reply_form
      FROM read
      JOIN judge_runs r ON r.id = read.run_id
    RETURNING id
)
SELECT read.entry_id, read.id, read.run_id, read.facts::text AS facts
  FROM read
  JOIN runs USING (id)

-- name: run_pairs_add
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, sources, terminal)
SELECT $1, ordinal, repeat, pair, metrics, uses, sources, true FROM judge_run_pairs WHERE run_id = $2

-- name: result_add
INSERT INTO judge_results (run_id, submission_id, judge_version, facts)
SELECT id, submission_id, judge_version, $2::text::jsonb FROM judge_runs WHERE id = $1

-- name: scores_swap
-- Values of the version before; of another one they stay.
UPDATE scores s
   SET compat = n.compat, strict = n.strict, answered = n.answered, expected = n.expected,
       by_source = n.by_source, metric_version = $4, judge_version = $2
  FROM shadow_scores n
 WHERE n.job_id = $1 AND s.entry_id = ANY ($5::uuid[]) AND s.entry_id = n.entry_id AND s.metric = n.metric
   AND s.judge_version = $3

-- name: replicates_swap
-- Those of the scores above.
INSERT INTO replicates (entry_id, metric, scoring, statistics_version, replicates, interval, by_source,
                        ground_truth_version, metric_version, judge_version)
SELECT n.entry_id, n.metric, n.scoring, n.statistics_version, n.replicates, n.interval, n.by_source,
       s.ground_truth_version, s.metric_version, s.judge_version
  FROM shadow_replicates n
  JOIN scores s ON s.entry_id = n.entry_id AND s.metric = n.metric AND s.judge_version = $2
 WHERE n.job_id = $1 AND n.entry_id = ANY ($3::uuid[])
 ORDER BY n.entry_id, n.metric, n.scoring
ON CONFLICT (entry_id, metric, scoring) DO UPDATE
   SET statistics_version = EXCLUDED.statistics_version, replicates = EXCLUDED.replicates,
       interval = EXCLUDED.interval, by_source = EXCLUDED.by_source,
       ground_truth_version = EXCLUDED.ground_truth_version,
       metric_version = EXCLUDED.metric_version, judge_version = EXCLUDED.judge_version


-- name: boards_go_over
-- Boards that ranked the values of the version before rank those of the new one, once none of the former is
-- left on them: a job for some entries leaves the others ranked.
UPDATE boards b SET series = $1
 WHERE series = $2
   AND EXISTS (SELECT FROM entries e JOIN scores s ON s.entry_id = e.id AND s.judge_version = $1
                WHERE e.board = b.board AND e.listed AND e.removed_at IS NULL)
   AND NOT EXISTS (SELECT FROM entries e JOIN scores s ON s.entry_id = e.id AND s.judge_version = $2
                    WHERE e.board = b.board AND e.listed AND e.removed_at IS NULL)
