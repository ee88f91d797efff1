-- name: sample_claim
-- At most one process takes a sample at a time, and none while there is a fresh one.
UPDATE system_figures
   SET claimed_at = clock_timestamp()
 WHERE claimed_at <= clock_timestamp() - make_interval(secs => $1)
RETURNING true

-- name: sample_store
UPDATE system_figures SET figures = $1::text::jsonb, sampled_at = clock_timestamp()

-- name: sample_read
SELECT figures::text AS figures,
       greatest(0, extract(epoch FROM clock_timestamp() - sampled_at))::float8 AS age
  FROM system_figures

-- name: figures
-- Everything here is found through partial indexes of what is unfinished, however long the history.
WITH submission AS (
    SELECT states.state, count(id) AS number, min(changed_at) AS since
      FROM (VALUES ('accepted'), ('scored')) AS states (state)
      LEFT JOIN (SELECT id, state, changed_at FROM submissions
                  WHERE state IN ('accepted', 'scored')
                        -- A new version that waits for its judging waits for its owner.
                    AND NOT (state = 'scored' AND EXISTS (
                        SELECT FROM entries
                         WHERE submission_id = submissions.id
                           AND pending AND removed_at IS NULL))) AS s USING (state)
     GROUP BY states.state
), run AS (
    SELECT states.state, count(id) AS number,
           -- What a provider's batch holds comes within a day: of that the batch's age tells.
           min(CASE WHEN r.state <> 'running' THEN changed_at
                    WHEN NOT EXISTS (SELECT FROM judge_provider_batches
                                      WHERE run_id = r.id AND state <> 'done') THEN progress_at END) AS since,
           coalesce(sum(items - items_done), 0) AS pairs
      FROM (VALUES ('queued'), ('running'), ('paused')) AS states (state)
      LEFT JOIN (SELECT * FROM judge_runs WHERE state IN ('queued', 'running', 'paused')) AS r
           USING (state)
     GROUP BY states.state
), provider_batch AS (
    SELECT state, created_at, lines - answered AS pairs, tries
      FROM judge_provider_batches WHERE state <> 'done'
), batch AS (
    SELECT min(sent_at) AS since
      FROM judge_runs r
      JOIN judge_batches b ON b.run_id = r.id AND b.state = 'sent'
     WHERE r.state = 'running'
), similarity AS (
    SELECT min(changed_at) AS since
      FROM similarities_due d
      JOIN submissions s ON s.id = d.submission_id
     WHERE d.failure_code IS NULL
), waiting AS (
    -- A message that the bus refused by itself is late from its next attempt on. One that was put
    -- aside while nothing was published is not at fault (attempts 0), and late from its beginning.
    SELECT count(*) AS number,
           min(CASE WHEN attempts > 0 THEN coalesce(retry_at, created_at) ELSE created_at END) AS since
      FROM outbox WHERE published_at IS NULL
), newest AS (
    SELECT board, min(behind_since) AS behind_since, max(created_at) AS since,
           min(created_at) FILTER (
               WHERE replicates_sha256 IS NOT NULL
                 AND NOT EXISTS (SELECT FROM snapshot_statistics WHERE snapshot_id = snapshot.id)
           ) AS unmeasured_since
      FROM boards
     CROSS JOIN (VALUES ('compat'), ('strict')) AS scorings (scoring)
      LEFT JOIN LATERAL (
           SELECT id, created_at, replicates_sha256 FROM snapshots
            WHERE snapshots.board = boards.board AND snapshots.scoring = scorings.scoring
            ORDER BY id DESC
            LIMIT 1) AS snapshot ON true
     GROUP BY board
), lately AS (
    -- The last fifty of a day at most, so that a burst does not hide what is usual.
    SELECT 'scoring' AS stage, after.at - before.at AS took
      FROM (SELECT submission_id, at FROM submission_history
             WHERE state = 'scored' AND at > now() - interval '1 day' ORDER BY at DESC LIMIT 50) AS after
      JOIN submission_history before
           ON before.submission_id = after.submission_id AND before.state = 'accepted'
    UNION ALL
    SELECT 'ranking', after.at - before.at
      FROM (SELECT submission_id, at FROM submission_history
             WHERE state = 'ranked' AND at > now() - interval '1 day' ORDER BY at DESC LIMIT 50) AS after
      JOIN submission_history before
           ON before.submission_id = after.submission_id AND before.state = 'scored'
    UNION ALL
    SELECT 'judging', completed_at - created_at
      FROM (SELECT run_id, completed_at FROM judge_results
             WHERE completed_at > now() - interval '1 day' ORDER BY completed_at DESC LIMIT 50) AS done
      JOIN judge_runs ON judge_runs.id = run_id
), pace AS (
    SELECT 'scoring' AS stage, count(*) / 10.0 AS per_minute
      FROM submission_history WHERE state = 'scored' AND at > now() - interval '10 minutes'
    UNION ALL
    SELECT 'ranking', count(*) / 10.0
      FROM submission_history WHERE state = 'ranked' AND at > now() - interval '10 minutes'
    UNION ALL
    SELECT 'judging', coalesce(sum((items_done - items_cached)
                                   / greatest(1, extract(epoch FROM now() - changed_at)) * 60), 0)
      FROM judge_runs WHERE state = 'running'
), replica AS (
    -- What bounds judging: one replica's calls at a time, the accounts' rates, the month's money.
    SELECT month_cap_microusd AS cap, requests_per_minute, tokens_per_minute,
           nullif(sum((each.value ->> 'concurrency')::float8), 0) AS calls,
           avg((each.value ->> 'latency_seconds')::float8) AS usual_seconds,
           avg((each.value ->> 'overhead_tokens')::float8 + (each.value ->> 'reply_tokens')::float8
               + (each.value ->> 'reasoning_tokens')::float8) AS usual_tokens
      FROM judge_service
     CROSS JOIN jsonb_each(coalesce(figures -> 'members', jsonb_build_object('one', figures))) AS each
     WHERE judge_version IS NOT NULL
     GROUP BY 1, 2, 3
), call AS (
    -- By the newest verdicts of the judge in force, of those that have a reply: a bound on the work.
    SELECT avg(latency_ms) FILTER (WHERE latency_ms > 0) / 1000 AS seconds,
           avg(cost_microusd) FILTER (WHERE cost_microusd > 0) AS microusd,
           avg(prompt_tokens + completion_tokens) FILTER (WHERE prompt_tokens > 0) AS tokens
      FROM (SELECT * FROM judge_verdicts
             WHERE raw_reply IS NOT NULL ORDER BY judged_at DESC LIMIT 200) AS newest
     WHERE judge_version IN (SELECT member_version FROM judge_service JOIN judge_members USING (judge_version))
), month AS (
    SELECT greatest(0, cap - coalesce(spent.microusd, 0) - coalesce(held.microusd, 0))::float8 AS left_microusd
      FROM replica
     CROSS JOIN (SELECT 'month:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS scope) AS this
     CROSS JOIN LATERAL (SELECT max(spent_microusd) AS microusd
                           FROM judge_spending WHERE scope = this.scope) AS spent
     CROSS JOIN LATERAL (SELECT sum(reserved_microusd) AS microusd
                           FROM judge_spending_leases
                          WHERE month_scope = this.scope AND expires_at > clock_timestamp()) AS held
     WHERE cap IS NOT NULL
), askable AS (
    -- Of runs that are not paused. Not what travels in the provider's batches, and of a panel's run the share
    -- of its batches whose judges are not down.
    SELECT coalesce(sum(greatest(0, items - items_done - at_provider) * coalesce(up.share, 1)), 0) AS pairs
      FROM judge_runs r
     CROSS JOIN LATERAL (SELECT coalesce(sum(lines - answered), 0) AS at_provider
                           FROM judge_provider_batches WHERE run_id = r.id AND state <> 'done') AS at_provider
     CROSS JOIN LATERAL (SELECT avg((NOT EXISTS (SELECT FROM judge_members_down d
                                                  WHERE d.judge_version = r.judge_version
                                                    AND d.member = b.member))::integer) AS share
                           FROM judge_batches b
                          WHERE b.run_id = r.id AND b.state <> 'done'
                            AND r.judge_version IN (SELECT judge_version FROM judge_members_down)) AS up
     WHERE r.state IN ('queued', 'running')
       AND NOT EXISTS (SELECT FROM judge_batches WHERE run_id = r.id AND state = 'for_provider')
), backlog AS (
    -- As far as the money goes, in seconds of one replica.
    SELECT least((SELECT pairs FROM askable)::float8,
                 (SELECT CASE WHEN left_microusd = 0 THEN 0
                              ELSE left_microusd / (SELECT microusd FROM call) END FROM month))
           * coalesce(call.seconds, usual_seconds) / calls AS seconds,
           least(requests_per_minute, tokens_per_minute / coalesce(call.tokens, usual_tokens)) / 60
           * coalesce(call.seconds, usual_seconds) / calls AS useful
      FROM replica CROSS JOIN call
), figure (name, label, number, since) AS (
    SELECT 'medvid_submissions_unfinished', state, number::float8, NULL::timestamptz FROM submission
    UNION ALL SELECT 'medvid_submissions_oldest_seconds', state, 0, since FROM submission
    UNION ALL SELECT 'medvid_judge_runs_unfinished', state, number, NULL FROM run
    UNION ALL SELECT 'medvid_judge_runs_oldest_seconds', state, 0, since FROM run
    UNION ALL SELECT 'medvid_judge_pairs_open', '', (SELECT sum(pairs) FROM run), NULL
    UNION ALL SELECT 'medvid_queue_age_seconds', 'scorer.submissions', 0, since
      FROM submission WHERE state = 'accepted'
    UNION ALL SELECT 'medvid_queue_age_seconds', 'ranker.boards', 0, min(behind_since) FROM newest
    UNION ALL SELECT 'medvid_queue_age_seconds', 'judge.requests', 0, since
      FROM run WHERE state = 'queued'
    UNION ALL SELECT 'medvid_queue_age_seconds', 'judge.batches', 0, since FROM batch
    UNION ALL SELECT 'medvid_queue_age_seconds', 'scorer.similarities', 0, since FROM similarity
    UNION ALL SELECT 'medvid_queue_age_seconds', 'scorer.rescores', 0,
                     (SELECT changed_at FROM rescore_jobs WHERE state = 'scoring')
    UNION ALL SELECT 'medvid_queue_age_seconds', 'ranker.rescores', 0,
                     (SELECT changed_at FROM rescore_jobs WHERE state = 'scored')
    UNION ALL SELECT 'medvid_queue_age_seconds', 'ranker.statistics', 0, min(unmeasured_since) FROM newest
    UNION ALL SELECT 'medvid_queue_age_seconds', 'gateway.webhooks', 0,
                     (SELECT min(due_at) FROM webhook_deliveries
                       WHERE state = 'waiting' AND due_at <= now()
                         AND (leased_until IS NULL OR leased_until < now()))
    UNION ALL SELECT 'medvid_outbox_waiting', '', number, NULL FROM waiting
    UNION ALL SELECT 'medvid_outbox_lag_seconds', '', 0, since FROM waiting
    UNION ALL SELECT 'medvid_dead_letters', queue, count(*), NULL
      FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL GROUP BY queue
    UNION ALL (SELECT 'medvid_table_bytes', relname::text, pg_total_relation_size(oid)::float8, NULL::timestamptz
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
     ORDER BY relpages + coalesce((SELECT relpages FROM pg_class t WHERE t.oid = pg_class.reltoastrelid), 0) DESC
     LIMIT 10)
    UNION ALL SELECT 'medvid_board_age_seconds', board, 0, since FROM newest WHERE since IS NOT NULL
    UNION ALL SELECT 'medvid_board_behind_seconds', board, 0, behind_since FROM newest
    UNION ALL SELECT 'medvid_judge_configured', '', count(judge_version), NULL FROM judge_service
    UNION ALL SELECT 'medvid_judge_ends_seconds', '',
                     extract(epoch FROM least(ends_set, ends_listed)::timestamp AT TIME ZONE 'UTC'
                                        - clock_timestamp()), NULL
      FROM judge_service
     WHERE judge_version IS NOT NULL AND coalesce(ends_set, ends_listed) IS NOT NULL
    UNION ALL SELECT 'medvid_judge_member_down', coalesce(v.facts ->> 'model', v.hash), count(d.member), NULL
      FROM judge_service
      JOIN judge_members m ON m.judge_version = judge_service.judge_version
                          AND m.member_version <> m.judge_version
      JOIN judge_versions v ON v.hash = m.member_version
      LEFT JOIN judge_members_down d ON d.judge_version = m.judge_version AND d.member = m.member
     GROUP BY 2
    UNION ALL SELECT 'medvid_judge_provider_batches', state, count(*), NULL
      FROM provider_batch GROUP BY state
    UNION ALL SELECT 'medvid_judge_provider_batches_failing', '',
                     (SELECT count(*) FROM provider_batch WHERE tries > 0), NULL
    UNION ALL SELECT 'medvid_judge_provider_batches_oldest_seconds', '', 0,
                     (SELECT min(created_at) FROM provider_batch)
    UNION ALL SELECT 'medvid_judge_pairs_at_provider', '',
                     (SELECT coalesce(sum(pairs), 0) FROM provider_batch), NULL
    UNION ALL SELECT 'medvid_judge_replicas', '', count(*), NULL
      FROM judge_replicas WHERE seen_at > clock_timestamp() - interval '10 seconds'
    UNION ALL SELECT 'medvid_judge_backlog_seconds', '', (SELECT coalesce(max(seconds), 0) FROM backlog), NULL
    UNION ALL SELECT 'medvid_judge_replicas_useful', '', greatest(1, ceil(useful)), NULL
      FROM backlog WHERE useful IS NOT NULL
    UNION ALL SELECT 'medvid_judge_budget_left_usd', '', left_microusd / 1e6, NULL FROM month
    UNION ALL SELECT 'medvid_judge_endpoint_serving', name, (state = 'serving' AND down IS NULL)::integer, NULL
      FROM judge_pool_endpoints WHERE seen_at > clock_timestamp() - interval '1 minute'
    UNION ALL SELECT 'medvid_judge_runs_paused', reason, count(*), NULL
      FROM judge_runs WHERE state = 'paused' GROUP BY reason
    UNION ALL SELECT 'medvid_stage_typical_seconds', stage,
                     percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM took)), NULL
      FROM lately GROUP BY stage
    UNION ALL SELECT 'medvid_stage_per_minute', stage, per_minute, NULL FROM pace
)
SELECT name, label,
       CASE WHEN since IS NULL THEN number
            ELSE greatest(0, extract(epoch FROM clock_timestamp() - since)) END::float8 AS value
  FROM figure
