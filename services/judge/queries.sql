-- name: version_add
INSERT INTO judge_versions (hash, facts, is_stub) VALUES ($1, $2::text::jsonb, $3) ON CONFLICT DO NOTHING

-- name: panel_add
-- A stub among its members makes it one.
INSERT INTO judge_versions (hash, facts, is_stub)
SELECT $1, $2::text::jsonb, bool_or(is_stub) FROM judge_versions WHERE hash = ANY ($3::text[])
ON CONFLICT DO NOTHING

-- name: version_facts
SELECT facts::text FROM judge_versions WHERE hash = $1

-- name: calibration_add
INSERT INTO judge_calibrations (judge_version, report) VALUES ($1, $2::text::jsonb)

-- name: service_set
-- What a list said of another judge's model says nothing of this one's.
UPDATE judge_service
   SET judge_version = $1, repeats = $2, figures = $3::text::jsonb, off_reason = $4, changed_at = now(),
       ends_set = CASE WHEN judge_version IS NOT DISTINCT FROM $1 THEN ends_set END,
       ends_listed = CASE WHEN judge_version IS NOT DISTINCT FROM $1 THEN ends_listed END,
       ends_read_at = CASE WHEN judge_version IS NOT DISTINCT FROM $1 THEN ends_read_at END
 WHERE (judge_version, repeats, figures, off_reason) IS DISTINCT FROM ($1, $2, $3::text::jsonb, $4::text)

-- name: end_said
INSERT INTO judge_ends_said (judge_version, day) VALUES ($1, coalesce($2::date, 'infinity'))
ON CONFLICT (judge_version, day) DO UPDATE SET said_at = now()

-- name: ends_forget
DELETE FROM judge_ends_said WHERE judge_version = $1 AND said_at < now() - make_interval(secs => $2)

-- name: end_agreed
UPDATE judge_service s
   SET ends_set = said.day
  FROM (SELECT nullif(min(day), 'infinity') AS day FROM judge_ends_said WHERE judge_version = $1) AS said
 WHERE s.judge_version = $1 AND s.ends_set IS DISTINCT FROM said.day

-- name: end_known
SELECT least(ends_set, ends_listed) FROM judge_service WHERE judge_version = $1

-- name: end_due
UPDATE judge_service SET ends_read_at = now()
 WHERE judge_version = $1
   AND (ends_read_at IS NULL OR ends_read_at < now() - interval '1 day')
RETURNING true

-- name: end_unread
UPDATE judge_service SET ends_read_at = now() - interval '23 hours' WHERE judge_version = $1

-- name: end_listed
-- Where not every list was read and names its model ($3), an earlier day that is known stays.
UPDATE judge_service SET ends_listed = CASE WHEN $3 THEN $2::date ELSE least(ends_listed, $2) END
 WHERE judge_version = $1 AND ($3 OR $2::date IS NOT NULL)

-- name: run_queued
SELECT r.id, r.submission_id, s.ground_truth_version, r.repeats, r.plan IS NOT NULL AS planned,
       j.judge_version AS wanted_version, r.known_only, r.leaves_final, r.fast
  FROM judge_runs r
  JOIN submissions s ON s.id = r.submission_id
  LEFT JOIN rescore_jobs j ON j.id = r.job_id
 WHERE r.id = $1 AND r.state = 'queued'

-- name: run_add_automatic
-- Nothing happens where a run waits or works already, or where this judge has judged it.
INSERT INTO judge_runs (id, submission_id, requested_by, repeats)
SELECT $1, s.id, 'automatic', $3
  FROM submissions s
 WHERE s.id = $2
   AND s.state IN ('scored', 'ranked')
   AND NOT EXISTS (SELECT FROM judge_results WHERE submission_id = $2 AND judge_version = $4)
ON CONFLICT (submission_id) WHERE state IN ('queued', 'running', 'paused') DO NOTHING

-- name: runs_add_known
-- For new versions that wait for their judging and have had no run: of $1, or all.
INSERT INTO judge_runs (id, submission_id, requested_by, repeats, known_only, leaves_final)
SELECT gen_random_uuid(), e.submission_id, 'automatic', j.repeats, true, true
  FROM entries e
  JOIN submissions s ON s.id = e.submission_id
 CROSS JOIN judge_service j
 WHERE e.pending AND NOT e.listed AND e.removed_at IS NULL AND s.state = 'scored'
   AND ($1::uuid IS NULL OR s.id = $1) AND j.judge_version IS NOT NULL
   AND NOT EXISTS (SELECT FROM judge_runs r WHERE r.submission_id = s.id)
ON CONFLICT (submission_id) WHERE state IN ('queued', 'running', 'paused') DO NOTHING
RETURNING id AS run_id, submission_id

-- name: payload
SELECT content FROM payloads WHERE submission_id = $1

-- name: verdicts_known
-- What needs no call: pairs with scores, and those that are unscored for a reason of $4.
SELECT count(*)
  FROM judge_verdicts
 WHERE judge_version = $1 AND pair = ANY($2::bytea[]) AND repeat < $3
   AND (scores IS NOT NULL OR unscored = ANY($4::text[]))

-- name: calls_per_second
-- Over the time that the last minute's verdicts took to come in.
SELECT count(*) / nullif(extract(epoch FROM max(judged_at) - min(judged_at)), 0)::float8
  FROM (SELECT judged_at
          FROM judge_verdicts      -- by the index of verdicts that have a reply
         WHERE judge_version = $1 AND judged_at > now() - interval '1 minute'
           AND raw_reply IS NOT NULL) AS lately
HAVING count(*) >= 20

-- name: run_pair_lengths
SELECT pair, octet_length(prediction) + octet_length(reference)
  FROM judge_run_pairs
  JOIN judge_pairs ON sha256 = pair
 WHERE run_id = $1 AND repeat = 0 AND member = 0
 ORDER BY ordinal

-- name: run_plan_alone
-- Planning rewrites a run's pairs, which its batches are settling: it waits for those at it, and they
-- wait for it, before either locks a row.
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 3))

-- name: run_settle_together
SELECT pg_advisory_xact_lock_shared(hashtextextended($1::uuid::text, 3))

-- name: run_lock
SELECT state, leaves_final, submission_id, judge_version, items, items_done, repeats, plan, job_id
  FROM judge_runs
 WHERE id = $1
   FOR UPDATE

-- name: captions_keep
-- Until the run has its pairs nobody deletes captions that no other run has.
SELECT pg_advisory_xact_lock_shared(hashtextextended('medvid prune captions', 4))

-- name: pairs_add
INSERT INTO judge_pairs (sha256, prediction, reference)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[])
ON CONFLICT DO NOTHING

-- name: run_pairs_add
-- Sources as JSON: their names are the ground truth's own, and may hold any character.
INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, sources)
SELECT $1, text.ordinal, repeat, text.pair, string_to_array(text.metrics, ','), text.uses,
       ARRAY(SELECT jsonb_array_elements_text(text.sources::jsonb))
  FROM unnest($2::integer[], $3::bytea[], $4::text[], $5::integer[], $7::text[])
    AS text (ordinal, pair, metrics, uses, sources)
 CROSS JOIN generate_series(0, $6::integer - 1) AS repeat

-- name: run_members_drop
DELETE FROM judge_run_pairs WHERE run_id = $1 AND member >= $2

-- name: run_members_add
-- A run's pairs once for each of its members ($2 of them): as the first has them.
INSERT INTO judge_run_pairs (run_id, member, ordinal, repeat, pair, metrics, uses, sources)
SELECT $1, other, ordinal, repeat, pair, metrics, uses, sources
  FROM judge_run_pairs
 CROSS JOIN generate_series(1, $2::integer - 1) AS other
 WHERE run_id = $1 AND member = 0
ON CONFLICT DO NOTHING

-- name: run_member_is
-- What member $2 of a run was is its member $3 now; its batches are done.
UPDATE judge_run_pairs SET member = $3, batch_id = NULL WHERE run_id = $1 AND member = $2

-- name: run_pairs_open
-- Whatever has no scores by its member of this judge is tried again, but for what is unscored for a reason of $3.
UPDATE judge_run_pairs p
   SET batch_id = NULL, tries = 0, throttled = 0,
       terminal = (SELECT v.scores IS NOT NULL OR v.unscored = ANY($3::text[])
                     FROM judge_verdicts v
                    WHERE v.judge_version = m.member_version AND v.pair = p.pair AND v.repeat = p.repeat
                    LIMIT 1) IS TRUE
  FROM judge_members m
 WHERE p.run_id = $1 AND m.judge_version = $2 AND m.member = p.member
   AND (p.batch_id IS NOT NULL OR p.tries <> 0 OR p.throttled <> 0 OR p.terminal
        OR (SELECT v.scores IS NOT NULL OR v.unscored = ANY($3::text[])
              FROM judge_verdicts v
             WHERE v.judge_version = m.member_version AND v.pair = p.pair AND v.repeat = p.repeat
             LIMIT 1) IS TRUE)

-- name: run_is_cautious
SELECT is_cautious FROM judge_runs WHERE id = $1

-- name: batches_drop
DELETE FROM judge_batches WHERE run_id = $1

-- name: batches_add
-- Of each member in turn. A cautious run ($3) begins with batches of one pair. $4: they wait to be sent, or for the
-- provider. Their ids are an array, as a join that is planned for few rows would take seconds.
WITH placed AS (
    SELECT member, ordinal, repeat,
           row_number() OVER (PARTITION BY member ORDER BY ordinal, repeat) AS place
      FROM judge_run_pairs
     WHERE run_id = $1 AND NOT terminal
), open AS (
    SELECT member, ordinal, repeat,
           dense_rank() OVER (
               ORDER BY CASE WHEN $3 THEN (place + $2::bigint - 2) / $2::bigint
                             ELSE (place - 1) / $2::bigint END, member) AS number
      FROM placed
), made AS (
    INSERT INTO judge_batches (run_id, member, state)
    SELECT $1, member, $4 FROM open GROUP BY number, member ORDER BY number
    RETURNING id
)
UPDATE judge_run_pairs p
   SET batch_id = made.ids[open.number]
  FROM open
 CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM made) AS made
 WHERE p.run_id = $1 AND p.ordinal = open.ordinal AND p.repeat = open.repeat AND p.member = open.member

-- name: run_begin
UPDATE judge_runs r
   SET state = 'running', reason = NULL, detail = NULL, judge_version = $2, leaves_final = false,
       plan = coalesce($3, plan), estimate = $4::text::jsonb,
       items = counted.items, items_done = counted.done, items_unscored = counted.unscored,
       items_cached = CASE WHEN r.plan IS NULL OR r.judge_version IS DISTINCT FROM $2
                           THEN counted.done ELSE r.items_cached END
  FROM (SELECT count(*) AS items, count(*) FILTER (WHERE terminal) AS done,
               count(*) FILTER (WHERE terminal AND NOT EXISTS (
                   SELECT FROM judge_verdicts v
                    WHERE v.judge_version = m.member_version AND v.pair = p.pair AND v.repeat = p.repeat
                      AND v.scores IS NOT NULL)) AS unscored
          FROM judge_run_pairs p
          JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
         WHERE run_id = $1) AS counted
 WHERE r.id = $1
RETURNING r.items_done = r.items

-- name: estimate_add
INSERT INTO judge_estimates (run_id, judge_version, microusd) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: run_fail_queued
UPDATE judge_runs SET state = 'failed', reason = $2, detail = $3
 WHERE id = $1 AND state = 'queued'
RETURNING submission_id

-- name: batches_send
-- Owners share the window, and the runs of an owner share what the owner gets: the one with the fewest
-- batches on the bus sends next. A run that begins sends one ($4) in any case, a cautious one no more.
-- Batches that another transaction is sending are skipped, and those of a panel's member that is down wait.
WITH running AS (
    SELECT id, owner, is_cautious, judge_version FROM judge_runs WHERE state = 'running'
), mine AS (
    SELECT r.id, r.is_cautious, r.judge_version, sent.count, sent.last
      FROM running r
     CROSS JOIN LATERAL (SELECT count(*), max(sent_at) AS last
                           FROM judge_batches WHERE run_id = r.id AND state = 'sent') AS sent
     WHERE r.owner = (SELECT owner FROM judge_runs WHERE id = $1)
), free AS (
    SELECT greatest($4, greatest($3, $2 / greatest(1, (SELECT count(DISTINCT owner) FROM running)))
                        - (SELECT coalesce(sum(count), 0) FROM mine)) AS places
), next AS (
    SELECT batch.id
      FROM mine
     CROSS JOIN LATERAL (
           SELECT locked.id, row_number() OVER (ORDER BY locked.id) AS nth
             FROM (SELECT id
                     FROM judge_batches
                    WHERE run_id = mine.id AND state = 'planned' AND due_at <= now()
                      AND NOT EXISTS (
                          SELECT FROM judge_members_down d
                           WHERE d.judge_version = mine.judge_version AND d.member = judge_batches.member)
                    ORDER BY id
                    LIMIT CASE WHEN mine.is_cautious THEN greatest(0, 1 - mine.count)
                               ELSE (SELECT places FROM free) END
                      FOR UPDATE SKIP LOCKED) AS locked) AS batch
     ORDER BY mine.count + batch.nth, mine.last NULLS FIRST, batch.id
     LIMIT (SELECT places FROM free))
UPDATE judge_batches b
   SET state = 'sent', sent_at = clock_timestamp()
  FROM judge_runs r
 WHERE b.id IN (SELECT id FROM next) AND r.id = b.run_id
RETURNING b.id, b.run_id, r.submission_id

-- name: batch_open
-- With what the replicas found out about the provider.
SELECT b.id, b.run_id, r.submission_id, r.state, m.member_version AS judge_version,
       m.member_version <> m.judge_version AS is_of_panel, r.is_cautious, r.reply_form,
       r.cost_estimated, f.reason AS down_reason,
       extract(epoch FROM f.found_at)::float8 AS found_at,
       extract(epoch FROM f.down_until - clock_timestamp())::float8 AS down_seconds
  FROM judge_batches b
  JOIN judge_runs r ON r.id = b.run_id
  JOIN judge_members m ON m.judge_version = r.judge_version AND m.member = b.member
  LEFT JOIN judge_provider_findings f ON f.judge_version = m.member_version
 WHERE b.id = $1 AND b.state <> 'done'

-- name: batch_items
SELECT p.ordinal, p.repeat, p.pair, p.metrics, p.tries, p.calls, p.throttled, t.prediction,
       t.reference
  FROM judge_run_pairs p
  JOIN judge_pairs t ON t.sha256 = p.pair
 WHERE p.batch_id = $1 AND NOT p.terminal
 ORDER BY p.ordinal, p.repeat

-- name: items_terminal
UPDATE judge_run_pairs p
   SET terminal = true
  FROM unnest($2::integer[], $3::integer[]) AS item (ordinal, repeat)
 WHERE p.batch_id = $1 AND p.ordinal = item.ordinal AND p.repeat = item.repeat AND NOT p.terminal
RETURNING p.ordinal, p.repeat

-- name: items_retry
UPDATE judge_run_pairs p
   SET tries = tries + 1
  FROM unnest($2::integer[], $3::integer[]) AS item (ordinal, repeat)
 WHERE p.batch_id = $1 AND p.ordinal = item.ordinal AND p.repeat = item.repeat

-- name: items_throttled
UPDATE judge_run_pairs p
   SET throttled = throttled + 1
  FROM unnest($2::integer[], $3::integer[]) AS item (ordinal, repeat)
 WHERE p.batch_id = $1 AND p.ordinal = item.ordinal AND p.repeat = item.repeat

-- name: items_called
UPDATE judge_run_pairs p
   SET calls = item.calls
  FROM unnest($2::integer[], $3::integer[], $4::integer[]) AS item (ordinal, repeat, calls)
 WHERE p.batch_id = $1 AND p.ordinal = item.ordinal AND p.repeat = item.repeat

-- name: batch_settle
-- Done when nothing of it is open, else planned for later.
UPDATE judge_batches b
   SET state = CASE WHEN open.any THEN 'planned' ELSE 'done' END,
       due_at = now() + make_interval(secs => $2)
  FROM (SELECT EXISTS (SELECT FROM judge_run_pairs WHERE batch_id = $1 AND NOT terminal) AS any) AS open
 WHERE b.id = $1 AND b.state <> 'done'

-- name: run_progress
-- Comes last, as every batch of a run waits for this row. Watchers hear of every per cent.
WITH moved AS (
    UPDATE judge_runs
       SET items_done = items_done + $2, items_unscored = items_unscored + $3, progress_at = now()
     WHERE id = $1
    RETURNING id, submission_id, items, items_done, items_unscored)
SELECT count(tell_watchers(submission_id, 'progress', jsonb_build_object(
           'run_id', id, 'items', items, 'items_done', items_done, 'items_unscored', items_unscored)))
  FROM moved
 WHERE (items_done - $2) * 100 / items <> items_done * 100 / items

-- name: run_trusts
-- A verdict came: the run goes on with its whole window.
UPDATE judge_runs SET is_cautious = false WHERE id = $1 AND is_cautious

-- name: run_notes
UPDATE judge_runs
   SET reply_form = coalesce($2, reply_form), cost_estimated = cost_estimated OR $3
 WHERE id = $1

-- name: run_wasted
-- Counts $2 calls of $3 millionths for the reasons $4. Tells whether those since a person last resumed
-- the run are more than $6 and more than the share $5 of the estimated calls.
WITH counted AS (
    UPDATE judge_runs r
       SET wasted_calls = wasted_calls + $2, wasted_microusd = wasted_microusd + $3,
           wasted_reasons = (
               SELECT jsonb_object_agg(key, number)
                 FROM (SELECT key, sum(value::integer) AS number
                         FROM (SELECT * FROM jsonb_each_text(r.wasted_reasons)
                               UNION ALL SELECT * FROM jsonb_each_text($4::text::jsonb)) AS each
                        GROUP BY key) AS summed)
     WHERE id = $1
    RETURNING *)
SELECT state = 'running' AND wasted_calls - wasted_forgiven
           > greatest($6::integer, $5::float8 * coalesce((estimate ->> 'calls')::float8, 0)) AS too_many,
       state = 'paused' AND reason = 'needs_operator' AS is_stopped,
       wasted_calls AS calls, wasted_microusd AS microusd, wasted_reasons::text AS reasons
  FROM counted

-- name: run_pause
-- A run that was queued again is not paused by an earlier finding.
UPDATE judge_runs SET state = 'paused', reason = $2, detail = $3
 WHERE id = $1 AND state = 'running'

-- name: run_detail
UPDATE judge_runs SET detail = $2 WHERE id = $1

-- name: run_is_finished
SELECT EXISTS (SELECT FROM judge_runs WHERE id = $1 AND state = 'running')
       AND NOT EXISTS (SELECT FROM judge_batches WHERE run_id = $1 AND state <> 'done')

-- name: run_verdicts
-- One probe of the primary key for each pair: without fresh statistics a join would be planned for
-- few rows, and take seconds.
SELECT p.member, p.ordinal, p.repeat, v.scores
  FROM judge_run_pairs p
  JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
 CROSS JOIN LATERAL (
       SELECT scores
         FROM judge_verdicts
        WHERE judge_version = m.member_version AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v
 WHERE p.run_id = $1 AND v.scores IS NOT NULL

-- name: run_final
-- What stays unscored for a reason of $3, however often it is asked again.
SELECT p.member, p.ordinal, p.repeat
  FROM judge_run_pairs p
  JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
 CROSS JOIN LATERAL (
       SELECT unscored
         FROM judge_verdicts
        WHERE judge_version = m.member_version AND pair = p.pair AND repeat = p.repeat
        LIMIT 1) AS v
 WHERE p.run_id = $1 AND v.unscored = ANY($3::text[])

-- name: run_is_confirmed
SELECT NOT EXISTS (
    SELECT FROM judge_run_pairs p
      JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
     CROSS JOIN LATERAL (
           SELECT is_confirmed
             FROM judge_verdicts
            WHERE judge_version = m.member_version AND pair = p.pair AND repeat = p.repeat AND scores IS NOT NULL
            LIMIT 1) AS v
     WHERE p.run_id = $1 AND NOT v.is_confirmed)

-- name: run_unscored
SELECT count(*)
  FROM judge_run_pairs p
  JOIN judge_members m ON m.judge_version = $2 AND m.member = p.member
 WHERE p.run_id = $1
   AND NOT EXISTS (SELECT FROM judge_verdicts v
                    WHERE v.judge_version = m.member_version AND v.pair = p.pair AND v.repeat = p.repeat
                      AND v.scores IS NOT NULL)

-- name: run_entry
SELECT e.id, e.board, e.model_name, e.facts ->> 'base_model' AS base_model, s.ground_truth_version, s.file_sha256, v.is_stub, g.content AS ground_truth
  FROM entries e
  JOIN submissions s ON s.id = e.submission_id
  JOIN ground_truths g ON g.version = s.ground_truth_version
 CROSS JOIN judge_versions v
 WHERE s.id = $1 AND v.hash = $2

-- name: entries_lock
-- The entry and the version before it, in the order in which everybody locks them.
SELECT FROM entries
 WHERE submission_id = $1 OR id = (SELECT replaces FROM entries WHERE submission_id = $1)
 ORDER BY version DESC
   FOR NO KEY UPDATE

-- name: score_put
INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,
                    ground_truth_version, metric_version, file_sha256, judge_version)
VALUES ($1, $2, $3, $3, $4, $5, $6::text::jsonb, $7, $8, $9, $10)
ON CONFLICT (entry_id, metric) DO UPDATE
   SET compat = EXCLUDED.compat, strict = EXCLUDED.strict, answered = EXCLUDED.answered,
       expected = EXCLUDED.expected, by_source = EXCLUDED.by_source,
       ground_truth_version = EXCLUDED.ground_truth_version,
       metric_version = EXCLUDED.metric_version, file_sha256 = EXCLUDED.file_sha256,
       judge_version = EXCLUDED.judge_version

-- name: result_add
INSERT INTO judge_results (run_id, submission_id, judge_version, facts, wanted_version)
VALUES ($1, $2, $3, $4::text::jsonb, $5)

-- name: badges_set
UPDATE entries
   SET badges = ARRAY(SELECT badge FROM unnest(badges) WITH ORDINALITY AS each (badge, place)
                       WHERE badge <> ALL ($2::text[]) ORDER BY place) || $3::text[]
 WHERE id = $1

-- name: board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1

-- name: run_complete
UPDATE judge_runs SET state = 'completed', items_unscored = $2, detail = $3 WHERE id = $1

-- name: run_fail
UPDATE judge_runs SET state = 'failed', reason = $2, detail = $3, items_unscored = $4 WHERE id = $1

-- name: claims_take
INSERT INTO judge_claims (judge_version, pair, repeat, holder, until)
SELECT $1, item.pair, item.repeat, $4, now() + make_interval(secs => $5)
  FROM unnest($2::bytea[], $3::integer[]) AS item (pair, repeat)
 ORDER BY item.pair, item.repeat
ON CONFLICT (judge_version, pair, repeat) DO UPDATE
   SET holder = EXCLUDED.holder, until = EXCLUDED.until
 WHERE judge_claims.until < now()
RETURNING pair, repeat

-- name: verdicts_of
-- Read after claiming, in a snapshot of its own: an earlier holder released its claim in the statement
-- that stored its verdict, so that we see it here.
SELECT pair, repeat
  FROM judge_verdicts
  JOIN unnest($2::bytea[], $3::integer[]) AS item (pair, repeat) USING (pair, repeat)
 WHERE judge_version = $1 AND scores IS NOT NULL

-- name: at_provider
-- Whether all that is claimed of these is in the provider's batches, whose claims have no end.
SELECT coalesce(bool_and(until = 'infinity'), false)
  FROM judge_claims
  JOIN unnest($2::bytea[], $3::integer[]) AS item (pair, repeat) USING (pair, repeat)
 WHERE judge_version = $1

-- name: claims_release
DELETE FROM judge_claims
 USING unnest($2::bytea[], $3::integer[]) AS item (pair, repeat)
 WHERE judge_claims.judge_version = $1 AND judge_claims.pair = item.pair
   AND judge_claims.repeat = item.repeat AND holder = $4

-- name: claims_renew
-- Only what the holder is at: what it does not know that it holds must run out.
UPDATE judge_claims
   SET until = now() + make_interval(secs => $2)
  FROM unnest($3::text[], $4::bytea[], $5::integer[]) AS held (judge_version, pair, repeat)
 WHERE holder = $1 AND judge_claims.judge_version = held.judge_version
   AND judge_claims.pair = held.pair AND judge_claims.repeat = held.repeat

-- name: claims_expired
DELETE FROM judge_claims WHERE until < now() - interval '10 minutes'

-- name: verdict_save
-- A verdict with scores stays for ever; one without makes room, and what it cost is kept in the sum.
WITH released AS (
    DELETE FROM judge_claims
     WHERE judge_version = $1 AND pair = $2 AND repeat = $3 AND holder = $14)
INSERT INTO judge_verdicts AS old (judge_version, pair, repeat, scores, unscored, detail, raw_reply,
        model, prompt_tokens, completion_tokens, latency_ms, attempts, cost_microusd, reply_form,
        served_by, is_confirmed, rationale, cached_tokens, reasoning_tokens)
VALUES ($1, $2, $3, $4::smallint[], $5, $6, $7, $8, $9, $10, $11, $12, $13, $15, $16::text::jsonb, $17,
        $18, $19, $20)
ON CONFLICT (judge_version, pair, repeat) DO UPDATE
   SET scores = EXCLUDED.scores, unscored = EXCLUDED.unscored, detail = EXCLUDED.detail,
       raw_reply = EXCLUDED.raw_reply, model = EXCLUDED.model,
       prompt_tokens = old.prompt_tokens + EXCLUDED.prompt_tokens,
       completion_tokens = old.completion_tokens + EXCLUDED.completion_tokens,
       cached_tokens = old.cached_tokens + EXCLUDED.cached_tokens,
       reasoning_tokens = old.reasoning_tokens + EXCLUDED.reasoning_tokens,
       latency_ms = EXCLUDED.latency_ms, attempts = old.attempts + EXCLUDED.attempts,
       cost_microusd = old.cost_microusd + EXCLUDED.cost_microusd,
       reply_form = EXCLUDED.reply_form, served_by = EXCLUDED.served_by,
       is_confirmed = EXCLUDED.is_confirmed, rationale = EXCLUDED.rationale, judged_at = now()
 WHERE old.scores IS NULL

-- name: runs_with_due_batches
SELECT DISTINCT r.id, r.submission_id
  FROM judge_runs r
  JOIN judge_batches b ON b.run_id = r.id AND b.state = 'planned' AND b.due_at <= now()
 WHERE r.state = 'running'
   AND NOT EXISTS (SELECT FROM judge_members_down d
                    WHERE d.judge_version = r.judge_version AND d.member = b.member)

-- name: run_lock_free
SELECT submission_id FROM judge_runs WHERE id = $1 AND state = 'running' FOR UPDATE SKIP LOCKED

-- name: runs_queued_long
UPDATE judge_runs
   SET announced_at = now()
 WHERE id IN (SELECT id FROM judge_runs
               WHERE state = 'queued'
                 AND greatest(announced_at, changed_at) < now() - make_interval(secs => $1)
                 FOR UPDATE SKIP LOCKED)
RETURNING id AS run_id, submission_id

-- name: batches_sent_long
UPDATE judge_batches
   SET sent_at = now()
 WHERE id IN (SELECT b.id
                FROM judge_batches b
                JOIN judge_runs r ON r.id = b.run_id AND r.state = 'running'
               WHERE b.state = 'sent' AND b.sent_at < now() - make_interval(secs => $1)
                 AND NOT EXISTS (      -- somebody is at work on it
                     SELECT FROM judge_run_pairs p
                       JOIN judge_members m ON m.judge_version = r.judge_version AND m.member = b.member
                       JOIN judge_claims c ON c.judge_version = m.member_version
                        AND c.pair = p.pair AND c.repeat = p.repeat AND c.until > now()
                      WHERE p.batch_id = b.id AND NOT p.terminal)
                 FOR UPDATE OF b SKIP LOCKED)
RETURNING id AS batch_id, run_id,
          (SELECT submission_id FROM judge_runs WHERE judge_runs.id = run_id) AS submission_id

-- name: runs_without_members
-- Running runs of panels in which nothing moved for $1 seconds, as all that is left is of members that are
-- down. One of a job waits for the whole panel.
SELECT r.id
  FROM judge_runs r
 WHERE r.state = 'running' AND r.job_id IS NULL
   AND r.progress_at < now() - make_interval(secs => $1)
   AND EXISTS (SELECT FROM judge_batches WHERE run_id = r.id AND state <> 'done')
   AND NOT EXISTS (
       SELECT FROM judge_batches b
        WHERE b.run_id = r.id AND b.state <> 'done'
          AND NOT EXISTS (SELECT FROM judge_members_down d
                           WHERE d.judge_version = r.judge_version AND d.member = b.member))

-- name: run_members_down
-- The members for which a run waits, and why; null where one is at work.
SELECT DISTINCT m.member_version, d.reason
  FROM judge_runs r
  JOIN judge_batches b ON b.run_id = r.id AND b.state <> 'done'
  JOIN judge_members m ON m.judge_version = r.judge_version AND m.member = b.member
  LEFT JOIN judge_members_down d ON d.judge_version = m.judge_version AND d.member = m.member
 WHERE r.id = $1

-- name: members_down
SELECT member_version FROM judge_members_down WHERE judge_version = $1 ORDER BY member

-- name: runs_waiting_for_member
-- For a member ($1): those that go on without it, and those that ended without it and want the panel $2.
SELECT r.id
  FROM judge_runs r
 WHERE r.state = 'running'
   AND EXISTS (SELECT FROM judge_batches b
                 JOIN judge_members_down d ON d.judge_version = r.judge_version AND d.member = b.member
                WHERE b.run_id = r.id AND b.state <> 'done' AND d.member_version = $1)
UNION ALL
SELECT r.run_id
  FROM judge_results r
 WHERE r.wanted_version = $2
   AND NOT EXISTS (SELECT FROM judge_members m
                    WHERE m.judge_version = r.judge_version AND m.member_version = $1)
   AND NOT EXISTS (SELECT FROM judge_runs old
                     JOIN judge_runs later ON later.submission_id = old.submission_id
                                          AND later.created_at > old.created_at
                    WHERE old.id = r.run_id)

-- name: runs_of_whole_panel
-- A run of the panel $1 for each that ended without members which answer now; once, if it fails.
INSERT INTO judge_runs (id, submission_id, requested_by, repeats)
SELECT gen_random_uuid(), r.submission_id, 'automatic', old.repeats
  FROM judge_results r
  JOIN judge_runs old ON old.id = r.run_id
 WHERE r.wanted_version = $1
   AND NOT EXISTS (SELECT FROM judge_runs later
                    WHERE later.submission_id = r.submission_id AND later.created_at > old.created_at)
   AND EXISTS (SELECT FROM entries e WHERE e.submission_id = r.submission_id AND e.removed_at IS NULL)
   AND NOT EXISTS (
       SELECT FROM judge_members_down d
        WHERE d.judge_version = $1
          AND NOT EXISTS (SELECT FROM judge_members m
                           WHERE m.judge_version = r.judge_version AND m.member_version = d.member_version))
 ORDER BY r.submission_id
ON CONFLICT (submission_id) WHERE state IN ('queued', 'running', 'paused') DO NOTHING
RETURNING id, submission_id

-- name: run_shrinks
-- What is left is of the judge $2: its members' pairs, all of them settled.
UPDATE judge_runs r
   SET judge_version = $2, items = counted.items, items_done = counted.items,
       items_cached = least(items_cached, counted.items), items_unscored = 0
  FROM (SELECT count(*) AS items FROM judge_run_pairs WHERE run_id = $1) AS counted
 WHERE r.id = $1

-- name: run_member_drop
DELETE FROM judge_run_pairs WHERE run_id = $1 AND member = $2

-- name: runs_finished
SELECT id
  FROM judge_runs r
 WHERE state = 'running'
   AND NOT EXISTS (SELECT FROM judge_batches WHERE run_id = r.id AND state <> 'done')

-- name: runs_of_another_judge
SELECT id
  FROM judge_runs
 WHERE state = 'running' AND judge_version <> $1
   AND progress_at < now() - make_interval(secs => $2)

-- name: runs_paused_for
SELECT id FROM judge_runs WHERE state = 'paused' AND reason = ANY($1::text[])

-- name: runs_paused_by_last_month
-- The money of their month was spent; now it is another month (UTC, as the spending).
SELECT id FROM judge_runs
 WHERE state = 'paused' AND reason = 'budget_month'
   AND date_trunc('month', changed_at AT TIME ZONE 'UTC') < date_trunc('month', now() AT TIME ZONE 'UTC')

-- name: run_bad_pauses
SELECT count(*)
  FROM judge_runs r
  JOIN submission_events e USING (submission_id)
 WHERE r.id = $1 AND e.kind = 'judging'
   AND e.data ->> 'run_id' = r.id::text AND e.data ->> 'reason' = 'bad_replies'

-- name: runs_with_bad_replies
-- Tried again after $1 seconds, each time after twice as long, at most a day: every try is paid for.
SELECT r.id
  FROM judge_runs r
 CROSS JOIN LATERAL (
       SELECT count(*) AS pauses
         FROM submission_events
        WHERE submission_id = r.submission_id AND kind = 'judging'
          AND data ->> 'run_id' = r.id::text AND data ->> 'reason' = 'bad_replies') AS before
 WHERE r.state = 'paused' AND r.reason = 'bad_replies'
   AND r.changed_at < now() - make_interval(
           secs => least(86400, $1::float8 * 2 ^ least(20, greatest(0, before.pauses - 1))))

-- name: provider_is_down
-- A later finding of the same never shortens the pause.
INSERT INTO judge_provider_findings AS known (judge_version, reason, down_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (judge_version) DO UPDATE
   SET reason = excluded.reason, found_at = clock_timestamp(), probe_until = NULL,
       down_until = greatest(known.down_until, excluded.down_until)

-- name: provider_call_failed
-- The pair that asked whether it is up got no answer: the next is sent after twice as long, at most $4.
UPDATE judge_provider_findings
   SET reason = $2, found_at = clock_timestamp(), probe_until = NULL, failed_calls = failed_calls + 1,
       down_until = clock_timestamp() + make_interval(
           secs => least($4::float8, $3::float8 * 2 ^ least(20, failed_calls)))
 WHERE judge_version = $1

-- name: runs_still_down
-- What they wait for now; their state is the same, so nobody is notified.
UPDATE judge_runs SET detail = $2
 WHERE id = ANY($1::uuid[]) AND state = 'paused' AND detail IS DISTINCT FROM $2

-- name: pair_to_try
-- Any pair of those runs that the judge $2 has not scored: one pair that cannot be judged must not keep all
-- others waiting. Of a run that ended without it, any pair at all.
SELECT p.run_id, p.ordinal, p.repeat, p.pair, p.metrics, p.tries, p.calls, p.throttled,
       t.prediction, t.reference
  FROM (SELECT q.*
          FROM judge_run_pairs q
          JOIN judge_runs r ON r.id = q.run_id
          LEFT JOIN judge_members m ON m.judge_version = r.judge_version AND m.member_version = $2
         WHERE q.run_id = ANY($1::uuid[])
           AND q.member = coalesce(m.member, 0) AND (NOT q.terminal OR r.state = 'completed')
           AND NOT EXISTS (SELECT FROM judge_claims c
                            WHERE c.judge_version = $2 AND c.pair = q.pair AND c.repeat = q.repeat
                              AND c.until > now())
           AND NOT EXISTS (SELECT FROM judge_verdicts v
                            WHERE v.judge_version = $2 AND v.pair = q.pair AND v.repeat = q.repeat
                              AND v.scores IS NOT NULL)
         ORDER BY random()
         LIMIT 1) AS p
  JOIN judge_pairs t ON t.sha256 = p.pair

-- name: provider_probe
-- The replica that gets a row asks the provider, for all.
INSERT INTO judge_provider_findings AS known (judge_version, probe_until)
VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (judge_version) DO UPDATE SET probe_until = excluded.probe_until
 WHERE coalesce(known.down_until <= clock_timestamp(), true)
   AND coalesce(known.probe_until <= clock_timestamp(), true)
RETURNING true

-- name: provider_is_up
UPDATE judge_provider_findings
   SET reason = NULL, down_until = NULL, probe_until = NULL, failed_calls = 0,
       found_at = clock_timestamp()
 WHERE judge_version = $1

-- name: run_requeue
-- By a machine.
UPDATE judge_runs
   SET state = 'queued', leaves_final = (reason = 'bad_replies'), reason = NULL, detail = NULL,
       announced_at = now()
 WHERE id = $1 AND state = 'paused'
RETURNING submission_id

-- name: run_spent
SELECT coalesce(sum(spent_microusd), 0) FROM judge_spending WHERE scope = 'run:' || $1::uuid


-- name: form_of
SELECT reply_form FROM judge_endpoints WHERE endpoint = $1 AND model = $2

-- name: form_keep
INSERT INTO judge_endpoints (endpoint, model, reply_form, decided_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (endpoint, model) DO UPDATE
   SET reply_form = excluded.reply_form, decided_by = excluded.decided_by, decided_at = now()
