-- name: item_take
-- One entry whose replies wait to be read again; another replica takes another.
SELECT i.job_id, i.entry_id, i.submission_id, i.run_id, j.judge_version, j.from_judge_version,
       v.facts::text AS facts, r.plan, r.repeats, g.content AS ground_truth
  FROM rescore_items i
  JOIN rescore_jobs j ON j.id = i.job_id AND j.state = 'reading'
  JOIN judge_versions v ON v.hash = j.judge_version
  JOIN judge_runs r ON r.id = i.run_id
  JOIN submissions s ON s.id = i.submission_id
  JOIN ground_truths g ON g.version = s.ground_truth_version
 WHERE i.state = 'open'
 ORDER BY i.job_id, i.entry_id
 LIMIT 1
   FOR UPDATE OF i SKIP LOCKED

-- name: replies
SELECT p.ordinal, p.repeat, p.pair, v.scores IS NOT NULL AS is_scored, v.unscored, v.detail, t.raw_reply
  FROM judge_run_pairs p
 CROSS JOIN LATERAL (
       SELECT *
         FROM judge_verdicts
        WHERE judge_version = $2 AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v
 CROSS JOIN LATERAL (
       SELECT raw_reply
         FROM judge_verdict_texts
        WHERE judge_version = $2 AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS t
 WHERE p.run_id = $1
 ORDER BY p.ordinal, p.repeat

-- name: verdicts_put
-- The same replies, read anew: they cost nothing, and came when they came. A verdict that a judge of the new
-- version gave itself stays.
INSERT INTO judge_verdicts AS known (judge_version, pair, repeat, scores, unscored, detail, rationale, raw_reply,
        model, attempts, reply_form, served_by, is_confirmed, judged_at)
SELECT $1, old.pair, old.repeat, string_to_array(new.scores, ',')::smallint[], new.unscored, new.detail,
       new.rationale, text.raw_reply, old.model, 0, old.reply_form, old.served_by, old.is_confirmed,
       old.judged_at
  FROM unnest($3::bytea[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS new (pair, repeat, scores, unscored, detail, rationale)
  JOIN judge_verdicts old ON old.judge_version = $2 AND old.pair = new.pair AND old.repeat = new.repeat
  JOIN judge_verdict_texts text
    ON text.judge_version = $2 AND text.pair = new.pair AND text.repeat = new.repeat
 ORDER BY old.pair, old.repeat
ON CONFLICT (judge_version, pair, repeat) DO UPDATE
   SET scores = EXCLUDED.scores, unscored = EXCLUDED.unscored, detail = EXCLUDED.detail,
       rationale = EXCLUDED.rationale, raw_reply = EXCLUDED.raw_reply
 WHERE known.scores IS NULL AND EXCLUDED.scores IS NOT NULL

-- name: item_read
UPDATE rescore_items SET state = 'scored', metric_version = $3, facts = $4::text::jsonb
 WHERE job_id = $1 AND entry_id = $2 AND state = 'open'

-- name: item_failed
UPDATE rescore_items SET state = 'failed', failure_code = $3, failure_reason = $4
 WHERE job_id = $1 AND entry_id = $2 AND state = 'open'

-- name: jobs_read
-- Whose last entry was settled by a replica that then died, or vanished.
SELECT id
  FROM rescore_jobs j
 WHERE state = 'reading'
   AND NOT EXISTS (SELECT FROM rescore_items WHERE job_id = j.id AND state = 'open')
