-- name: series_of_submission
SELECT b.board, b.series, b.other_judges, b.published, j.judge_version,
       j.judge_version IS NOT NULL AND coalesce((j.figures ->> 'by_batch')::boolean, false) AS by_batch
  FROM entries e
  JOIN boards b ON b.board = e.board
 CROSS JOIN judge_service j
 WHERE e.submission_id = $1

-- name: run_find
-- A run by its id ($1), or the newest of a submission ($2). A job's run whose values are not in force is
-- nobody's result.
SELECT id, state, reason, detail, judge_version, requested_by, repeats, estimate::text AS estimate,
       items, items_cached, items_done, items_unscored, created_at, changed_at, reply_form,
       cost_estimated, wasted_calls, wasted_microusd, wasted_reasons::text AS wasted_reasons,
       coalesce((SELECT spent_microusd FROM judge_spending WHERE scope = 'run:' || judge_runs.id), 0)
           AS spent_microusd,
       EXISTS (SELECT FROM entries WHERE entries.submission_id = judge_runs.submission_id AND hypothetical)
           AS evaluate_only,
       fast,
       (SELECT coalesce(sum(lines - answered), 0) FROM judge_provider_batches
         WHERE run_id = judge_runs.id AND state <> 'done') AS items_at_provider
  FROM judge_runs
 WHERE id = coalesce($1::uuid, (
           SELECT id
             FROM judge_runs
            WHERE submission_id = $2
              AND (job_id IS NULL OR state IN ('queued', 'running', 'paused')
                   OR state = 'completed' AND EXISTS (SELECT FROM rescore_jobs j
                                                       WHERE j.id = job_id AND j.state = 'applied'))
            ORDER BY created_at DESC
            LIMIT 1))

-- name: result_latest
SELECT r.run_id, r.judge_version, r.facts::text AS facts, v.facts::text AS judge, v.is_stub,
       r.completed_at,
       EXISTS (SELECT FROM entries WHERE entries.submission_id = r.submission_id AND hypothetical)
           AS evaluate_only,
       (SELECT report || jsonb_build_object('at', created_at)
          FROM judge_calibrations
         WHERE judge_version = r.judge_version
         ORDER BY id DESC
         LIMIT 1)::text AS calibration
  FROM judge_results r
  JOIN judge_versions v ON v.hash = r.judge_version
 WHERE r.submission_id = $1
 ORDER BY r.completed_at DESC
 LIMIT 1

-- name: run_add
INSERT INTO judge_runs (id, submission_id, requested_by, repeats, fast)
SELECT $1, $2, $3, repeats, $4 FROM judge_service

-- name: run_hasten
-- What is at the provider is called back, and the rest judged online.
UPDATE judge_runs SET fast = true WHERE id = $1 AND state IN ('queued', 'running') AND NOT fast

-- name: run_requeue
UPDATE judge_runs
   SET state = 'queued', reason = NULL, detail = NULL, requested_by = $3, announced_at = now(),
       estimate = NULL, known_only = false, fast = fast OR $4
 WHERE id = $1 AND state = $2

-- name: run_pause
UPDATE judge_runs SET state = 'paused', reason = 'administrator', detail = $2
 WHERE id = $1 AND state IN ('queued', 'running')

-- name: items_per_second
-- Over the last minute of progress; null while there is too little of it.
SELECT (max(done) - min(done)) / nullif(extract(epoch FROM now() - min(at)), 0)::float8
  FROM (SELECT (data ->> 'items_done')::integer AS done, at
          FROM submission_events
         WHERE submission_id = $1 AND kind IN ('progress', 'judging')
           AND data ->> 'run_id' = $2::uuid::text AND data ->> 'state' IS DISTINCT FROM 'queued'
           AND at > now() - interval '1 minute') AS lately
HAVING count(*) > 1

-- name: scores_by_source
-- Of the entry, as far as the run's judge gave them.
SELECT s.metric, s.answered, s.expected, s.by_source::text AS by_source
  FROM entries e
  JOIN scores s ON s.entry_id = e.id
 WHERE e.submission_id = $1 AND s.judge_version = $2

-- name: verdict_models
SELECT DISTINCT v.model
  FROM judge_run_pairs p
  JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
  JOIN judge_verdicts v ON v.judge_version = m.member_version AND v.pair = p.pair AND v.repeat = p.repeat
 WHERE p.run_id = $1 AND v.model IS NOT NULL
 ORDER BY v.model

-- name: asks_reasons
SELECT EXISTS (SELECT FROM judge_members m
                 JOIN judge_versions v ON v.hash = m.member_version AND v.facts ? 'rationale'
                WHERE m.judge_version = $1)

-- name: rationales
-- Of these items of a run, which may repeat references: for administrators.
SELECT p.ordinal, p.repeat, m.member_version AS judge_version, v.rationale
  FROM unnest($3::integer[], $4::integer[]) AS item (ordinal, repeat)
  JOIN judge_run_pairs p ON p.run_id = $1 AND p.ordinal = item.ordinal AND p.repeat = item.repeat
  JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
 CROSS JOIN LATERAL (
       SELECT rationale
         FROM judge_verdict_texts
        WHERE judge_version = m.member_version AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v
 WHERE v.rationale IS NOT NULL

-- name: verdicts_page
-- The reference, and the raw reply and the rationale, which may quote it, are not among the columns. `$9`: in which
-- metrics the source `$8` is shown.
SELECT p.ordinal, p.repeat, p.metrics, p.uses, p.sources, t.prediction, v.scores, v.unscored,
       v.model, v.prompt_tokens, v.completion_tokens, v.latency_ms, v.attempts, v.cost_microusd,
       v.judged_at, m.mean, c.cut, j.hash AS judge_version, count(*) OVER () AS total
  FROM judge_run_pairs p
  JOIN judge_pairs t ON t.sha256 = p.pair
  LEFT JOIN (      -- of a panel each member; a run that is not planned yet has nobody
       SELECT g.member, w.hash, (w.facts ->> 'max_caption_characters')::integer AS characters
         FROM judge_members g
         JOIN judge_versions w ON w.hash = g.member_version
        WHERE g.judge_version = $2) AS j USING (member)
  LEFT JOIN LATERAL (      -- one probe of the primary key, however old the statistics are
       SELECT *
         FROM judge_verdicts
        WHERE judge_version = j.hash AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v ON true
 CROSS JOIN LATERAL (SELECT avg(score)::float8 AS mean FROM unnest(v.scores) AS score) AS m
 CROSS JOIN LATERAL (SELECT coalesce(v.scores[$7], m.mean) AS score) AS w
 CROSS JOIN LATERAL (      -- a text may hold NUL, which no function that counts characters takes
       SELECT CASE WHEN octet_length(t.prediction) <= j.characters THEN false
                   ELSE coalesce(octet_length(t.prediction) - regexp_count(
                            replace(encode(t.prediction, 'escape'), '\\', ''), '\\2[0-7]{2}')
                        > j.characters, false)
              END AS cut) AS c
 WHERE p.run_id = $1
   AND ($3::text IS NULL OR $3 = ANY (p.metrics))
   AND CASE $4::text
            WHEN 'scored' THEN v.scores IS NOT NULL
            WHEN 'unscored' THEN v.unscored IS NOT NULL
            WHEN 'open' THEN v.pair IS NULL
            ELSE true
       END
   AND ($8::text IS NULL OR $8 = ANY (p.sources) AND p.metrics <@ $9::text[])
   AND ($10::text IS NULL OR v.model = $10)
   AND ($11::boolean IS NULL OR c.cut = $11)
   AND ($12::integer IS NULL OR w.score <= $12)
 ORDER BY CASE WHEN $13::boolean THEN w.score END, p.ordinal, member, p.repeat
 LIMIT $5 OFFSET $6
