-- What may go, table by table. '..._doomed' finds rows ($1 days kept, $2 at most so many, null for
-- all); '..._prune' lets them go. Nothing that a ranked entry's numbers are made of is ever found:
-- its upload, its ground truth, its verdicts and their texts. Verdicts have no rule: each saves a call.

-- name: alone
SELECT pg_try_advisory_xact_lock(hashtextextended('medvid prune ' || $1::text, 4))

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
                           OR e.removed_at > now() - make_interval(secs => 86400 * $1::float8)))
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
 WHERE e.removed_at < now() - make_interval(secs => 86400 * $1::float8)
    OR (e.hypothetical AND s.changed_at < now() - make_interval(secs => 86400 * $1::float8))
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
   AND EXISTS (
       SELECT FROM snapshots later
        WHERE later.board = s.board AND later.scoring = s.scoring AND later.id > s.id
          AND CASE WHEN s.created_at < now() - interval '1 year'
                   THEN date_trunc('month', later.created_at AT TIME ZONE 'UTC')
                        = date_trunc('month', s.created_at AT TIME ZONE 'UTC')
                   ELSE date_trunc('day', later.created_at AT TIME ZONE 'UTC')
                        = date_trunc('day', s.created_at AT TIME ZONE 'UTC') END)
 LIMIT $2

-- name: snapshots_prune
DELETE FROM snapshots WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: raw_replies_doomed
-- The text alone: a verdict's scores are for ever.
SELECT ctid FROM judge_verdicts
 WHERE raw_reply IS NOT NULL AND judged_at < now() - make_interval(secs => 86400 * $1::float8)
 LIMIT $2

-- name: raw_replies_prune
UPDATE judge_verdicts SET raw_reply = NULL WHERE ctid = ANY(ARRAY(/* doomed */))

-- name: packed_replies_doomed
-- A pack goes as a whole, when the youngest of its replies is old enough; rationales stay.
SELECT ctid FROM judge_text_packs
 WHERE replies IS NOT NULL AND newest < now() - make_interval(secs => 86400 * $1::float8)
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
-- Of runs that ended. Those of an entry that is on its board, or left it lately, are kept while they are shown
-- (its newest) or its values are theirs; those of an unfinished job, or of a provider's batch, too. Runs are chosen
-- first, as a join with all their pairs would ask so for each of these.
WITH ended AS MATERIALIZED (
    SELECT r.id
      FROM judge_runs r
     WHERE r.state IN ('completed', 'failed')
       AND r.changed_at < now() - make_interval(secs => 86400 * $1::float8)
       AND EXISTS (SELECT FROM judge_run_pairs p WHERE p.run_id = r.id)
       AND NOT EXISTS (SELECT FROM judge_provider_batches b WHERE b.run_id = r.id AND b.state <> 'done')
       AND NOT EXISTS (SELECT FROM rescore_jobs j
                         LEFT JOIN rescore_items i ON i.job_id = j.id AND i.run_id = r.id
                        WHERE j.state NOT IN ('applied', 'discarded') AND (j.id = r.job_id OR i.run_id = r.id))
       AND NOT EXISTS (
           SELECT FROM entries e
            WHERE e.submission_id = r.submission_id AND NOT e.hypothetical
              AND (e.removed_at IS NULL OR e.removed_at > now() - make_interval(secs => 86400 * $1::float8))
              AND NOT EXISTS (
                  SELECT FROM judge_runs newer
                   WHERE newer.submission_id = r.submission_id AND newer.state = 'completed'
                     AND newer.created_at > r.created_at
                     AND (newer.job_id IS NULL OR EXISTS (SELECT FROM rescore_jobs j
                                                           WHERE j.id = newer.job_id AND j.state = 'applied'))
                     AND (newer.judge_version = r.judge_version
                          OR NOT EXISTS (SELECT FROM scores s
                                          WHERE s.entry_id = e.id AND s.judge_version = r.judge_version))))
     LIMIT $2
)
SELECT p.ctid FROM ended JOIN judge_run_pairs p ON p.run_id = ended.id LIMIT $2

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
SELECT FROM gone

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
DELETE FROM judge_pairs
 WHERE sha256 IN (SELECT pair FROM judge_texts_due WHERE ctid = ANY(ARRAY(/* doomed */)))

-- name: rank_history_doomed
-- Ended ranks between the first and the last of an entry, but for its best, that no kept snapshot shows: so what
-- is shown of an entry that left, and its rank in every snapshot, stay as they are.
SELECT h.ctid
  FROM rank_history h
 WHERE h.until < now() - make_interval(secs => 86400 * $1::float8) AND NOT h.entered
   AND NOT EXISTS (SELECT FROM snapshots s
                    WHERE s.board = h.board AND s.scoring = h.scoring
                      AND s.id >= h.since_snapshot AND s.id < h.until_snapshot)
   AND EXISTS (SELECT FROM rank_history later
                WHERE (later.entry_id, later.board, later.scoring) = (h.entry_id, h.board, h.scoring)
                  AND later.since_snapshot > h.since_snapshot)
   AND EXISTS (SELECT FROM rank_history better
                WHERE (better.entry_id, better.board, better.scoring) = (h.entry_id, h.board, h.scoring)
                  AND (better.rank, better.since_snapshot) < (h.rank, h.since_snapshot))
       -- The rank before it lasts until this one ended; where the entry was away before, there is none.
   AND EXISTS (SELECT FROM rank_history before
                WHERE (before.entry_id, before.board, before.scoring) = (h.entry_id, h.board, h.scoring)
                  AND before.until_snapshot = h.since_snapshot)
 LIMIT $2

-- name: rank_history_prune
WITH doomed AS (
    SELECT ctid, entry_id, board, scoring, since_snapshot FROM rank_history WHERE ctid = ANY(ARRAY(/* doomed */))
), spans AS (
    SELECT h.*, EXISTS (SELECT FROM doomed d WHERE d.ctid = h.ctid) AS goes
      FROM rank_history h
     WHERE (entry_id, board, scoring) IN (SELECT entry_id, board, scoring FROM doomed)
), parts AS (      -- each rank that stays, with those after it that go
    SELECT *, count(*) FILTER (WHERE NOT goes) OVER (
                  PARTITION BY entry_id, board, scoring ORDER BY since_snapshot) AS part
      FROM spans
), longer AS (
    SELECT entry_id, board, scoring, min(since_snapshot) AS since_snapshot, max(until_snapshot) AS until_snapshot,
           max(until) AS until
      FROM parts
     GROUP BY entry_id, board, scoring, part
    HAVING bool_or(goes)
), extended AS (
    UPDATE rank_history h
       SET until_snapshot = longer.until_snapshot, until = longer.until
      FROM longer
     WHERE (h.entry_id, h.board, h.scoring, h.since_snapshot)
           = (longer.entry_id, longer.board, longer.scoring, longer.since_snapshot)
)
DELETE FROM rank_history h
 USING doomed
 WHERE (h.entry_id, h.board, h.scoring, h.since_snapshot)
       = (doomed.entry_id, doomed.board, doomed.scoring, doomed.since_snapshot)

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
