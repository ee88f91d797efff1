-- What may go, table by table. '..._doomed' finds rows ($1 days kept, $2 at most so many, null for
-- all); '..._prune' lets them go. Where most of a table stays, they begin after the place $3, and '..._prune' tells
-- how far it came: null at the end. Nothing that a ranked entry's numbers are made of is ever found:
-- its upload, its ground truth, its verdicts and their texts. Verdicts have no rule: each saves a call.

-- name: alone
SELECT pg_try_advisory_xact_lock(hashtextextended('medvid prune ' || $1::text, 4))

-- name: disputed
-- Entries with an objection that nobody has settled, and the versions before them, of which it may have been filed:
-- what is left of them is what it is settled by.
WITH RECURSIVE disputed AS (
    SELECT entry_id FROM notes WHERE kind = 'objection' AND state IN ('open', 'published')
    UNION
    SELECT e.replaces FROM disputed d JOIN entries e ON e.id = d.entry_id WHERE e.replaces IS NOT NULL
)
SELECT entry_id FROM disputed

-- name: outbox_doomed
SELECT ctid FROM outbox
 WHERE published_at < now() - make_interval(secs => 86400 * $1::float8)
 ORDER BY position
 LIMIT $2

-- name: outbox_prune
DELETE FROM outbox WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: inbox_doomed
SELECT ctid FROM inbox WHERE at < now() - make_interval(secs => 86400 * $1::float8) LIMIT $2

-- name: inbox_prune
DELETE FROM inbox WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: payloads_doomed
-- Uploads of submissions that are finished and on no board (those that were only evaluated are on
-- none, ever), and were not taken off one lately.
SELECT p.ctid
  FROM payloads p
  JOIN submissions s ON s.id = p.submission_id
 WHERE s.state NOT IN ('accepted', 'scored')
   AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM entries e
                    WHERE e.submission_id = s.id
                      AND ((e.removed_at IS NULL AND NOT e.hypothetical)
                           OR e.removed_at > now() - make_interval(secs => 86400 * $1::float8)
                           OR e.id IN (/* disputed */)))
   AND NOT EXISTS (SELECT FROM judge_runs r
                    WHERE r.submission_id = s.id AND r.state IN ('queued', 'running', 'paused'))
 LIMIT $2

-- name: payloads_prune
DELETE FROM payloads WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: replicates_doomed
-- Of entries whose uploads go, too: taken off a board, or never on one.
SELECT r.ctid
  FROM replicates r
  JOIN entries e ON e.id = r.entry_id
  JOIN submissions s ON s.id = e.submission_id
 WHERE (e.removed_at < now() - make_interval(secs => 86400 * $1::float8)
        OR (e.hypothetical AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8)))
   AND e.id NOT IN (/* disputed */)
 LIMIT $2

-- name: replicates_prune
DELETE FROM replicates WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: snapshots_doomed
-- Thinned, never emptied: of older ones the last of each day stays, and after a year the last of
-- each month. The newest of a board has none after it, so it stays whatever its age; so does what final
-- results of tracks are read from, and what errata link.
SELECT s.ctid
  FROM snapshots s
 WHERE s.created_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM track_finals f WHERE f.snapshot_id = s.id)
   AND NOT EXISTS (SELECT FROM notes n WHERE s.id IN (n.snapshot_id, n.corrected_by))
   AND (SELECT date_trunc(span.unit, later.created_at AT TIME ZONE 'UTC')
               = date_trunc(span.unit, s.created_at AT TIME ZONE 'UTC')
          FROM snapshots later      -- the next one: to look at all that follow takes their square
         CROSS JOIN (SELECT CASE WHEN s.created_at < now() - interval '1 year'
                                 THEN 'month' ELSE 'day' END AS unit) AS span
         WHERE later.board = s.board AND later.scoring = s.scoring AND later.id > s.id
         ORDER BY later.id
         LIMIT 1)
 ORDER BY s.id
 LIMIT $2

-- name: snapshots_prune
DELETE FROM snapshots WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: raw_replies_doomed
-- The text alone: a verdict's scores are for ever.
SELECT ctid FROM judge_verdicts
 WHERE raw_reply IS NOT NULL AND judged_at < now() - make_interval(secs => 86400 * $1::float8)
 ORDER BY judged_at
 LIMIT $2

-- name: raw_replies_prune
UPDATE judge_verdicts SET raw_reply = NULL WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: packed_replies_doomed
-- A pack goes as a whole, when the youngest of its replies is old enough; rationales stay.
SELECT ctid FROM judge_text_packs
 WHERE replies IS NOT NULL AND newest < now() - make_interval(secs => 86400 * $1::float8)
 ORDER BY newest
 LIMIT $2

-- name: packed_replies_prune
UPDATE judge_text_packs SET replies = NULL WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: texts_doomed
-- Of verdicts with scores, which never change. None before a whole pack is due, as small ones compress badly.
SELECT ctid FROM judge_verdicts
 WHERE raw_reply IS NOT NULL AND scores IS NOT NULL
   AND judged_at < now() - make_interval(secs => 86400 * $1::float8)
   AND ($2::bigint IS NULL OR judged_at <= (
           SELECT judged_at FROM judge_verdicts
            WHERE raw_reply IS NOT NULL AND scores IS NOT NULL
              AND judged_at < now() - make_interval(secs => 86400 * $1::float8)
            ORDER BY judged_at
           OFFSET greatest($2::bigint, 1) - 1
            LIMIT 1))
 ORDER BY judged_at
 LIMIT $2

-- name: texts_prune
WITH chosen AS (
    SELECT judge_version, pair, repeat, raw_reply, rationale, judged_at, row_number() OVER (ORDER BY judged_at) AS place
      FROM judge_verdicts
     WHERE ctid = ANY(ARRAY(/* doomed */))
), pack AS (
    INSERT INTO judge_text_packs (replies, rationales, newest)
    SELECT array_agg(raw_reply ORDER BY place),
           CASE WHEN count(rationale) > 0 THEN array_agg(rationale ORDER BY place) END, max(judged_at)
      FROM chosen
    HAVING count(*) > 0
    RETURNING id
)
UPDATE judge_verdicts v
   SET raw_reply = NULL, rationale = NULL, pack = pack.id, place = chosen.place
  FROM chosen
 CROSS JOIN pack
 WHERE v.judge_version = chosen.judge_version AND v.pair = chosen.pair AND v.repeat = chosen.repeat

-- name: run_pairs_doomed
-- Of runs that ended. Those of an entry that is on its board, left it lately, or is objected to, are kept while they
-- are shown (its newest) or its values are theirs; those of an unfinished job, or of a provider's batch, too. Runs are
-- chosen first, as a join with all their pairs would ask so for each of these.
WITH ended AS MATERIALIZED (
    SELECT r.id
      FROM judge_runs r
     WHERE r.state IN ('completed', 'failed')
       AND r.id >= coalesce($3::uuid, '00000000-0000-0000-0000-000000000000')
       AND r.changed_at < now() - make_interval(secs => 86400 * $1::float8)
       AND EXISTS (SELECT FROM judge_run_pairs p WHERE p.run_id = r.id)
       AND NOT EXISTS (SELECT FROM judge_provider_batches b WHERE b.run_id = r.id AND b.state <> 'done')
       AND NOT EXISTS (SELECT FROM rescore_jobs j
                         LEFT JOIN rescore_items i ON i.job_id = j.id AND i.run_id = r.id
                        WHERE j.state NOT IN ('applied', 'discarded') AND (j.id = r.job_id OR i.run_id = r.id))
       AND NOT EXISTS (
           SELECT FROM entries e
            WHERE e.submission_id = r.submission_id AND NOT e.hypothetical
              AND (e.removed_at IS NULL OR e.removed_at > now() - make_interval(secs => 86400 * $1::float8)
                   OR e.id IN (/* disputed */))
              AND NOT EXISTS (
                  SELECT FROM judge_runs newer
                   WHERE newer.submission_id = r.submission_id AND newer.state = 'completed'
                     AND newer.created_at > r.created_at
                     AND (newer.job_id IS NULL OR EXISTS (SELECT FROM rescore_jobs j
                                                           WHERE j.id = newer.job_id AND j.state = 'applied'))
                     AND (newer.judge_version = r.judge_version
                          OR NOT EXISTS (SELECT FROM scores s
                                          WHERE s.entry_id = e.id AND s.judge_version = r.judge_version))))
     ORDER BY r.id
     LIMIT $2
)
SELECT p.ctid
  FROM ended
 CROSS JOIN LATERAL (      -- a run after another, as its limit keeps the two from being joined in any other way
       SELECT ctid FROM judge_run_pairs WHERE run_id = ended.id LIMIT $2) AS p
 LIMIT $2

-- name: run_pairs_prune
-- A run that failed may be asked for again: it is planned anew then. One that is just being asked for keeps its pairs.
WITH chosen AS (
    SELECT run_id, ordinal, repeat, member FROM judge_run_pairs WHERE ctid = ANY(ARRAY(/* doomed */))
), runs AS (
    SELECT id
      FROM judge_runs
     WHERE id IN (SELECT run_id FROM chosen) AND state IN ('completed', 'failed')
     ORDER BY id
       FOR UPDATE SKIP LOCKED
), unplanned AS (
    UPDATE judge_runs SET plan = NULL FROM runs WHERE judge_runs.id = runs.id AND state = 'failed'
), gone AS (
    DELETE FROM judge_run_pairs p
     USING chosen c
      JOIN runs ON runs.id = c.run_id
     WHERE (p.run_id, p.ordinal, p.repeat, p.member) = (c.run_id, c.ordinal, c.repeat, c.member)
    RETURNING p.pair
), due AS (
    INSERT INTO judge_texts_due (pair) SELECT DISTINCT pair FROM gone ORDER BY pair ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM gone) AS rows, (SELECT max(run_id::text) FROM chosen) AS place

-- name: run_batches_doomed
WITH emptied AS MATERIALIZED (
    SELECT r.id
      FROM judge_runs r
     WHERE r.state IN ('completed', 'failed')
       AND r.changed_at < now() - make_interval(secs => 86400 * $1::float8)
       AND EXISTS (SELECT FROM judge_batches b WHERE b.run_id = r.id)
       AND NOT EXISTS (SELECT FROM judge_run_pairs p WHERE p.run_id = r.id)
     LIMIT $2
)
SELECT b.ctid FROM emptied JOIN judge_batches b ON b.run_id = emptied.id LIMIT $2

-- name: run_batches_prune
DELETE FROM judge_batches WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: captions_doomed
-- What the rule above let go, and no other run has. Planning a run keeps this rule away ('captions_keep').
SELECT ctid FROM judge_texts_due
 WHERE $1::float8 IS NOT NULL
   AND NOT EXISTS (SELECT FROM judge_run_pairs p WHERE p.pair = judge_texts_due.pair)
 LIMIT $2

-- name: captions_prune
-- Each is looked at once: one that another run has is due again when that run lets it go, which is why the two rules
-- are never at work together.
WITH looked_at AS (
    DELETE FROM judge_texts_due
     WHERE $1::float8 IS NOT NULL AND pair IN (
           SELECT pair FROM judge_texts_due WHERE pair > decode(coalesce($3::text, ''), 'hex') ORDER BY pair LIMIT $2)
    RETURNING pair
), gone AS (
    DELETE FROM judge_pairs
     USING looked_at
     WHERE sha256 = looked_at.pair
       AND NOT EXISTS (SELECT FROM judge_run_pairs p WHERE p.pair = sha256)
    RETURNING sha256
)
SELECT (SELECT count(*) FROM gone) AS rows, (SELECT max(encode(pair, 'hex')) FROM looked_at) AS place

-- name: ranks
-- The next ten batches' worth of ranks, and which of them go: ended ones between the first and the last of an entry,
-- but for its best, that no kept snapshot shows. So what is shown of an entry that left, and its rank in every
-- snapshot, stay as they are. Each question is one probe of an index: as joins they would be asked of the whole table.
SELECT h.*,
       h.until < now() - make_interval(secs => 86400 * $1::float8) AND NOT h.entered
       AND coalesce((SELECT s.id FROM snapshots s
                      WHERE s.board = h.board AND s.scoring = h.scoring AND s.id >= h.since_snapshot
                      ORDER BY s.id LIMIT 1) >= h.until_snapshot, true)
       AND (SELECT later.since_snapshot FROM rank_history later
             WHERE (later.entry_id, later.board, later.scoring) = (h.entry_id, h.board, h.scoring)
               AND later.since_snapshot > h.since_snapshot
             ORDER BY later.since_snapshot LIMIT 1) IS NOT NULL
       AND (SELECT better.rank FROM rank_history better
             WHERE (better.entry_id, better.board, better.scoring) = (h.entry_id, h.board, h.scoring)
               AND (better.rank, better.since_snapshot) < (h.rank, h.since_snapshot)
             LIMIT 1) IS NOT NULL
           -- The rank before it lasts until this one ended; where the entry was away before, there is none.
       AND before.until_snapshot = h.since_snapshot AS goes,
       before.since_snapshot AS before
  FROM (SELECT *
          FROM rank_history
         WHERE (entry_id, board, scoring, since_snapshot)
               > (coalesce(($3::json ->> 0)::uuid, '00000000-0000-0000-0000-000000000000'),
                  coalesce($3::json ->> 1, ''), coalesce($3::json ->> 2, ''), coalesce(($3::json ->> 3)::bigint, 0))
         ORDER BY entry_id, board, scoring, since_snapshot
         LIMIT 10 * $2) AS h
  LEFT JOIN LATERAL (
       SELECT since_snapshot, until_snapshot FROM rank_history
        WHERE (entry_id, board, scoring) = (h.entry_id, h.board, h.scoring) AND since_snapshot < h.since_snapshot
        ORDER BY since_snapshot DESC
        LIMIT 1) AS before ON true

-- name: rank_history_doomed
SELECT FROM (/* ranks */) AS looked_at WHERE goes

-- name: rank_history_prune
WITH looked_at AS MATERIALIZED (
    /* ranks */
), parts AS (      -- each rank that stays, with those after it that go; the first may go on from before
    SELECT *, count(*) FILTER (WHERE goes IS NOT TRUE) OVER (
                  PARTITION BY entry_id, board, scoring ORDER BY since_snapshot) AS part
      FROM looked_at
), longer AS (
    SELECT entry_id, board, scoring, max(until_snapshot) AS until_snapshot, max(until) AS until,
           coalesce(min(since_snapshot) FILTER (WHERE goes IS NOT TRUE), min(before)) AS since_snapshot
      FROM parts
     GROUP BY entry_id, board, scoring, part
    HAVING bool_or(goes)
), extended AS (
    UPDATE rank_history h
       SET until_snapshot = longer.until_snapshot, until = longer.until
      FROM longer
     WHERE (h.entry_id, h.board, h.scoring, h.since_snapshot)
           = (longer.entry_id, longer.board, longer.scoring, longer.since_snapshot)
), gone AS (
    DELETE FROM rank_history h
     USING looked_at
     WHERE looked_at.goes
       AND (h.entry_id, h.board, h.scoring, h.since_snapshot)
           = (looked_at.entry_id, looked_at.board, looked_at.scoring, looked_at.since_snapshot)
    RETURNING h.entry_id
)
SELECT (SELECT count(*) FROM gone) AS rows,
       (SELECT json_build_array(entry_id, board, scoring, since_snapshot)::text
          FROM looked_at
         ORDER BY entry_id DESC, board DESC, scoring DESC, since_snapshot DESC
         LIMIT 1) AS place

-- name: job_items_doomed
-- Of jobs that no run tells of: where one does, a result of its submission is shown by it.
SELECT i.ctid
  FROM rescore_jobs j
  JOIN rescore_items i ON i.job_id = j.id
 WHERE j.state IN ('applied', 'discarded')
   AND j.changed_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM judge_runs r WHERE r.job_id = j.id)
 LIMIT $2

-- name: job_items_prune
DELETE FROM rescore_items WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: jobs_doomed
-- What an administrator did stays in the audit log.
SELECT j.ctid
  FROM rescore_jobs j
 WHERE j.state IN ('applied', 'discarded')
   AND j.changed_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM judge_runs r WHERE r.job_id = j.id)
   AND NOT EXISTS (SELECT FROM rescore_items i WHERE i.job_id = j.id)
 LIMIT $2

-- name: jobs_prune
DELETE FROM rescore_jobs WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: submission_events_doomed
-- Events of submissions in a final state.
SELECT e.ctid
  FROM submission_events e
  JOIN submissions s ON s.id = e.submission_id
 WHERE e.at < now() - make_interval(secs => 86400 * $1::float8)
   AND s.state NOT IN ('accepted', 'scored')
   AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8)
   AND NOT EXISTS (SELECT FROM judge_runs r
                    WHERE r.submission_id = s.id AND r.state IN ('queued', 'running', 'paused'))
 LIMIT $2

-- name: submission_events_prune
DELETE FROM submission_events WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: idempotency_keys_doomed
SELECT ctid FROM idempotency_keys
 WHERE created_at < now() - make_interval(secs => 86400 * $1::float8)
 LIMIT $2

-- name: idempotency_keys_prune
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: dead_letters_doomed
-- Those that were replayed or discarded; what nobody has looked at stays.
SELECT ctid FROM dead_letters
 WHERE coalesce(replayed_at, discarded_at) < now() - make_interval(secs => 86400 * $1::float8)
 LIMIT $2

-- name: dead_letters_prune
DELETE FROM dead_letters WHERE ctid = ANY(ARRAY(/* doomed */))
