-- name: load_version
INSERT INTO judge_versions (hash, facts, is_stub) VALUES ('{version}', '{{}}', false)

-- name: load_run
-- The newest verdicts' run: their pairs are those that readers look at.
INSERT INTO ground_truths (version, content, samples, active) VALUES ('{version}', '', 1, false);
INSERT INTO submissions (id, state, ground_truth_version, file_sha256, file_bytes, report, owner_token_sha256)
VALUES ('{run}', 'ranked', '{version}', '{version}', 1, '{{}}', sha256(''));
INSERT INTO judge_runs (id, submission_id, judge_version, state, requested_by, plan, items, items_done)
VALUES ('{run}', '{run}', '{version}', 'completed', 'owner', '', {a_run}, {a_run})

-- name: load_texts
CREATE TEMP TABLE words AS
SELECT string_to_array(
    'the of with and in at under along during after before surgeon grasper scissors hook clip suture needle '
    'trocar stapler retractor dissector irrigation suction bleeding haemostasis gallbladder liver bed cystic '
    'duct artery vein peritoneum omentum bowel colon mesentery fascia tissue plane traction countertraction '
    'exposure view camera angle left right upper lower quadrant anterior posterior medial lateral edge tip '
    'shaft jaw cautery spark smoke clear obscured visible dissects cuts clips sutures retracts lifts pulls '
    'pushes divides seals irrigates inspects names misses agrees differs prediction reference step phase '
    'correct wrong partly', ' ') AS all_of;
INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, raw_reply, rationale, model, prompt_tokens,
                            completion_tokens, latency_ms, attempts, cost_microusd, reply_form, judged_at)
SELECT '{version}', sha256(int8send(n)), 0, ARRAY[s.a, s.b, s.c, s.d, s.e]::smallint[],
       convert_to('{{' || coalesce('"rationale": "' || r.text || '", ', '') || format(
           '"R2": %s, "R4": %s, "R5": %s, "R7": %s, "R8": %s}}', s.a, s.b, s.c, s.d, s.e), 'UTF8'),
       r.text, 'gpt-4.1-2025-04-14', 700, 40, 900 * random(), 1, 1720, 'schema',
       now() - interval '100 days' - interval '1 second' * ({verdicts} - n)
  FROM generate_series(1, {verdicts}::bigint) AS n
 CROSS JOIN LATERAL (SELECT 1 + floor(random() * 5)::integer AS a, 1 + floor(random() * 5)::integer AS b,
                            1 + floor(random() * 5)::integer AS c, 1 + floor(random() * 5)::integer AS d,
                            1 + floor(random() * 5)::integer AS e WHERE n > 0) AS s
  LEFT JOIN LATERAL (
       SELECT string_agg(all_of[1 + floor(random() * array_length(all_of, 1))::integer], ' ') AS text
         FROM words, generate_series(1, 25 + (n % 16)::integer)) AS r ON n % 2 = 0

-- name: load_pairs
INSERT INTO judge_pairs (sha256, prediction, reference)
SELECT sha256(int8send(n)), convert_to('a prediction ' || n, 'UTF8'), convert_to('a reference ' || n, 'UTF8')
  FROM generate_series({verdicts}::bigint - {a_run} + 1, {verdicts}) AS n

-- name: load_run_pairs
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, terminal)
SELECT '{run}', n - 1, 0, sha256(int8send({verdicts}::bigint - {a_run} + n)), '{{dvc_llm}}', 1, true
  FROM generate_series(1, {a_run}) AS n

-- name: load_figures
ANALYZE

-- name: bytes
SELECT pg_total_relation_size('judge_verdicts') + pg_total_relation_size('judge_text_packs')

-- name: text_bytes
-- As they are stored: in rows with a byte or four for their length, in packs compressed.
SELECT (SELECT coalesce(sum(pg_column_size(raw_reply)), 0) + coalesce(sum(pg_column_size(rationale)), 0)
          FROM judge_verdicts)
       + (SELECT coalesce(sum(pg_column_size(replies)), 0) + coalesce(sum(pg_column_size(rationales)), 0)
            FROM judge_text_packs)

-- name: unload
-- What the writer's measurement left.
DELETE FROM judge_verdicts WHERE judged_at > now() - interval '1 day'
