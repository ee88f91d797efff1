-- name: lock_rankers
SELECT pg_advisory_xact_lock(hashtextextended('medvid ranks ' || $1::text, 5))

-- name: board_revisions
-- The lock keeps out rankers of the first version, and nobody who changes the board.
SELECT revision, ranked_revision FROM boards WHERE board = $1 FOR KEY SHARE

-- name: submissions_waiting
SELECT submissions.id
  FROM submissions
  JOIN entries ON entries.submission_id = submissions.id
 WHERE entries.board = $1 AND entries.listed AND submissions.state = 'scored'

-- name: board_state
-- One statement, so that entries and revision fit although the board may change in between.
SELECT boards.revision, boards.ranking, boards.series, boards.other_judges, boards.published,
       (SELECT judge_version FROM judge_service) AS service, entries.id, submission_id, model_name, organization, team, authors, model_url, track, badges,
       submitted_on, verified_on, versions_before, evaluations_before, withdrawals_before, facts::text AS facts,
       ARRAY(SELECT DISTINCT state FROM public_notes
              WHERE entry_id = entries.id AND kind = 'objection') AS objections,
       coalesce(array_agg(metric ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS metrics,
       coalesce(array_agg(compat ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS compat,
       coalesce(array_agg(strict ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS strict,
       coalesce(array_agg(answered ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS answered,
       coalesce(array_agg(expected ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS expected,
       coalesce(array_agg(judge_version ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS judges,
       coalesce(array_agg(scores.ground_truth_version ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS ground_truths,
       coalesce(array_agg(metric_version ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS metric_versions,
       coalesce(array_agg(file_sha256 ORDER BY metric) FILTER (WHERE metric IS NOT NULL), '{}') AS files
  FROM boards
  LEFT JOIN entries ON entries.board = boards.board AND listed AND removed_at IS NULL
  LEFT JOIN scores ON scores.entry_id = entries.id
 WHERE boards.board = $1
 GROUP BY boards.board, entries.id

-- name: hypotheses_due
DELETE FROM hypothetical_due WHERE board = $1 RETURNING entry_id

-- name: hypothetical_entries
SELECT entries.id, submission_id, model_name, organization, team, authors, model_url, track, badges,
       submitted_on, verified_on, versions_before, evaluations_before, withdrawals_before, facts::text AS facts,
       '{}'::text[] AS objections,
       array_agg(metric ORDER BY metric) AS metrics,
       array_agg(compat ORDER BY metric) AS compat,
       array_agg(strict ORDER BY metric) AS strict,
       array_agg(answered ORDER BY metric) AS answered,
       array_agg(expected ORDER BY metric) AS expected,
       array_agg(judge_version ORDER BY metric) AS judges,
       array_agg(scores.ground_truth_version ORDER BY metric) AS ground_truths,
       array_agg(metric_version ORDER BY metric) AS metric_versions,
       array_agg(file_sha256 ORDER BY metric) AS files
  FROM entries
  JOIN scores ON scores.entry_id = entries.id
 WHERE entries.id = ANY($1::uuid[]) AND hypothetical AND removed_at IS NULL
 GROUP BY entries.id

-- name: save_hypothesis
INSERT INTO hypothetical_ranks (entry_id, scoring, revision, entries, content)
VALUES ($1, $2, $3, $4, $5::text::jsonb)
    ON CONFLICT (entry_id, scoring) DO UPDATE
   SET revision = excluded.revision, entries = excluded.entries, content = excluded.content,
       ranked_at = now()

-- name: hypothesis_ranked
UPDATE submissions
   SET state = 'ranked'
  FROM entries
 WHERE entries.submission_id = submissions.id AND entries.id = $1 AND submissions.state = 'scored'

-- name: add_snapshot
INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries, unranked, ranking, disclosure,
                       replicates_sha256, series)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb
 WHERE NOT EXISTS (
       SELECT FROM (SELECT content_sha256, ranking, disclosure, replicates_sha256, series FROM snapshots
                     WHERE board = $1 AND scoring = $2
                     ORDER BY id DESC
                     LIMIT 1) AS newest
        WHERE newest.content_sha256 = $5 AND newest.ranking = $8 AND newest.disclosure = $9
          AND newest.replicates_sha256 IS NOT DISTINCT FROM $10 AND newest.series = $11::text::jsonb)
RETURNING id

-- name: add_break
-- Where the snapshot ($2) is the first of another series than the one before it on its board.
INSERT INTO series_breaks (board, at, before, after, snapshot_id)
SELECT $1, now(), newest.after, $3, $2
  FROM (SELECT (SELECT after FROM series_breaks WHERE board = $1 ORDER BY at DESC LIMIT 1) AS after) AS newest
 WHERE newest.after IS DISTINCT FROM $3

-- name: add_change
-- Where what a board's numbers rest on ($4) is not what it was when that was last written down.
INSERT INTO board_changes (board, kind, before, after, snapshot_id)
SELECT $1, $2, newest.after, $4, $3
  FROM (SELECT (SELECT after FROM board_changes
                 WHERE board = $1 AND kind = $2
                 ORDER BY snapshot_id DESC
                 LIMIT 1) AS after) AS newest
 WHERE newest.after IS DISTINCT FROM $4

-- name: add_values
INSERT INTO snapshot_values (snapshot_id, content, salt) VALUES ($1, $2, $3)

-- name: current_ranks
SELECT entry_id, rank FROM rank_history WHERE board = $1 AND scoring = $2 AND until IS NULL

-- name: end_ranks
-- An array and no join: without statistics of a table that was just filled, a join with 5,000 entries
-- was planned for few rows, and took 18 s.
UPDATE rank_history
   SET until_snapshot = $3, until = now()
 WHERE board = $1 AND scoring = $2 AND until IS NULL AND entry_id = ANY($4::uuid[])

-- name: begin_ranks
INSERT INTO rank_history (entry_id, board, scoring, rank, entered, since_snapshot, since)
SELECT shown.entry_id, $1, $2, shown.rank,
       NOT EXISTS (SELECT FROM rank_history AS earlier
                    WHERE earlier.entry_id = shown.entry_id
                      AND earlier.board = $1 AND earlier.scoring = $2),
       $3, now()
  FROM unnest($4::uuid[], $5::integer[]) AS shown (entry_id, rank)

-- name: board_ranked
-- A board without a series keeps the one ($3) that it was ranked by.
UPDATE boards SET ranked_revision = greatest(ranked_revision, $2), series = coalesce(series, $3)
 WHERE board = $1 AND (ranked_revision < $2 OR series IS NULL AND $3::text IS NOT NULL)

-- name: submissions_ranked
UPDATE submissions SET state = 'ranked' WHERE id = ANY($1::uuid[]) AND state = 'scored'

-- name: boards_ranked_otherwise
-- By the version before, by another rule of what is withheld ($1), or by a setting that is no longer the
-- board's, though its revision is ranked: as after an upgrade, and while rankers of both versions run.
UPDATE boards SET revision = revision + 1
 WHERE board IN (
       SELECT board FROM boards AS otherwise
        WHERE ranked_revision = revision
          AND EXISTS (
              SELECT FROM (VALUES ('compat'), ('strict')) AS scorings (scoring)
               CROSS JOIN LATERAL (
                     SELECT ranking, disclosure, series FROM snapshots
                      WHERE snapshots.board = otherwise.board AND snapshots.scoring = scorings.scoring
                      ORDER BY id DESC
                      LIMIT 1) AS newest
               WHERE newest.ranking IS DISTINCT FROM otherwise.ranking
                  OR newest.disclosure IS DISTINCT FROM $1
                  OR newest.series IS DISTINCT FROM jsonb_build_object(
                         'current', otherwise.series, 'other_judges', otherwise.other_judges,
                         'published', otherwise.published))
        ORDER BY board
          FOR NO KEY UPDATE)

-- name: hypotheses_ranked_otherwise
-- Where an entry would stand, as versions before wrote it: with exact values, or such as are withheld.
INSERT INTO hypothetical_due (entry_id, board)
SELECT DISTINCT entries.id, entries.board
  FROM hypothetical_ranks
  JOIN entries ON entries.id = hypothetical_ranks.entry_id
 WHERE NOT content ? 'steps' AND hypothetical AND removed_at IS NULL
   AND NOT EXISTS (SELECT FROM hypothetical_due WHERE hypothetical_due.entry_id = entries.id)

-- name: boards_behind
SELECT board
  FROM boards
 WHERE ranked_revision < revision
    OR EXISTS (SELECT FROM hypothetical_due WHERE hypothetical_due.board = boards.board)
