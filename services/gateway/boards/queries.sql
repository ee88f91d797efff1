-- name: snapshot_at
SELECT id FROM snapshots
 WHERE board = $1 AND scoring = $2 AND created_at <= $3
 ORDER BY id DESC
 LIMIT 1

-- name: snapshot_find
-- The version before recorded no ranking; it had one. Statistics come within seconds, to the newest alone:
-- a snapshot is final once it has them, or will have none.
SELECT id, board, scoring, revision, s.content, s.created_at, unranked,
       coalesce(ranking, 'competition') AS ranking, s.series::text AS series,
       t.content AS statistics, t.created_at AS measured_at,
       replicates_sha256 IS NULL OR t.snapshot_id IS NOT NULL
       OR s.created_at < now() - interval '1 hour'
          AND EXISTS (SELECT FROM snapshots later
                       WHERE later.board = s.board AND later.scoring = s.scoring AND later.id > s.id)
       AS is_final,
       l.number AS link, coalesce(l.hash, '') AS link_sha256, l.key_id AS link_key_id,
       (SELECT count(*) FROM links WHERE snapshot_id = s.id) AS links
  FROM snapshots s
  LEFT JOIN snapshot_statistics t ON t.snapshot_id = s.id
  LEFT JOIN LATERAL (SELECT number, hash, key_id FROM links
                      WHERE snapshot_id = s.id
                      ORDER BY number DESC
                      LIMIT 1) AS l ON true
 WHERE s.id = $1

-- name: entries_find
SELECT id, board, model_name, organization, team, authors, model_url, track, badges, submitted_on,
       verified_on, submission_id, versions_before AS versions, evaluations_before AS evaluate_only,
       withdrawals_before AS withdrawn, facts::text AS facts, facts_held
  FROM entries
 WHERE id = ANY ($1::uuid[]) AND board = $2 AND listed AND removed_at IS NULL

-- name: entries_after
-- A page of a board's entries by their ids.
SELECT id, model_name, organization
  FROM entries
 WHERE board = $1 AND listed AND removed_at IS NULL AND ($2::uuid IS NULL OR id > $2)
 ORDER BY id
 LIMIT $3

-- name: entry_fact_changes
-- Of each entry and the versions before it the newest.
WITH RECURSIVE versions AS (
    SELECT id AS entry_id, id, replaces FROM entries WHERE id = ANY ($1::uuid[])
     UNION ALL
    SELECT newer.entry_id, e.id, e.replaces FROM versions newer JOIN entries e ON e.id = newer.replaces)
SELECT asked.entry_id, found.at, found.by, found.before::text AS before, found.after::text AS after
  FROM unnest($1::uuid[]) AS asked (entry_id)
 CROSS JOIN LATERAL (
       SELECT c.id, c.at, c.by, c.before, c.after
         FROM versions
         JOIN fact_changes c ON c.entry_id = versions.id
        WHERE versions.entry_id = asked.entry_id
        ORDER BY c.id DESC
        LIMIT 50) AS found
 ORDER BY asked.entry_id, found.id DESC

-- name: entry_scores
SELECT entry_id, metric, compat, strict, answered, expected, by_source::text AS by_source,
       ground_truth_version, metric_version, judge_version, file_sha256,
       (SELECT json_object_agg(scoring, json_build_object('whole', interval, 'by_source', n.by_source))
          FROM current_replicates n
         WHERE n.entry_id = scores.entry_id AND n.metric = scores.metric
           AND n.statistics_version = $2)::text AS intervals
  FROM scores
 WHERE entry_id = ANY ($1::uuid[])

-- name: entry_scores_before
-- Of the version that an entry replaces.
SELECT metric, compat, strict, answered, expected
  FROM scores
 WHERE entry_id = (SELECT replaces FROM entries WHERE id = $1)

-- name: board_sources
-- `members`: of a panel each judge and the value that it gave alone; null of a single judge's value.
SELECT s.entry_id, s.metric, s.by_source::text AS by_source, s.judge_version,
       jsonb_build_object('combine', p.panel -> 'combine', 'members', (
           SELECT jsonb_agg(member - 'metrics' || jsonb_build_object('value', member #> ARRAY['metrics', s.metric, 'value'])
                            ORDER BY member ->> 'judge_version')
             FROM jsonb_array_elements(p.panel -> 'members') AS member))::text AS panel
  FROM entries e
  JOIN scores s ON s.entry_id = e.id
  LEFT JOIN LATERAL (
       SELECT r.facts -> 'panel' AS panel
         FROM judge_results r
        WHERE r.submission_id = e.submission_id AND r.judge_version = s.judge_version AND r.facts ? 'panel'
        ORDER BY r.completed_at DESC
        LIMIT 1) AS p ON true
 WHERE e.board = $1 AND e.listed AND e.removed_at IS NULL

-- name: metric_sources
SELECT s.entry_id, s.metric, s.by_source::text AS by_source
  FROM entries e
  JOIN scores s ON s.entry_id = e.id
 WHERE e.board = $1 AND e.listed AND e.removed_at IS NULL AND s.metric = ANY ($2)

-- name: comparison_scores
SELECT s.entry_id, s.metric, CASE WHEN $3 = 'strict' THEN s.strict ELSE s.compat END AS value,
       s.answered, s.expected, s.ground_truth_version, s.metric_version, s.judge_version,
       n.replicates, n.interval::text AS interval
  FROM entries e
  JOIN scores s ON s.entry_id = e.id
  LEFT JOIN current_replicates n ON n.entry_id = s.entry_id AND n.metric = s.metric
                                AND n.scoring = $3 AND n.statistics_version = $4
 WHERE e.id = ANY ($2::uuid[]) AND e.board = ANY ($1) AND e.listed AND e.removed_at IS NULL

-- name: entry_judge
-- The result that the judged scores were made from.
SELECT DISTINCT ON (entries.id) entries.id AS entry_id, judge_results.run_id, judge_results.judge_version, judge_results.facts::text AS facts,
       judge_versions.facts::text AS judge, is_stub, completed_at,
       (SELECT report || jsonb_build_object('at', created_at)
          FROM judge_calibrations
         WHERE judge_calibrations.judge_version = judge_results.judge_version
         ORDER BY id DESC
         LIMIT 1)::text AS calibration
  FROM entries
  JOIN judge_results ON judge_results.submission_id = entries.submission_id
  JOIN judge_versions ON judge_versions.hash = judge_results.judge_version
 WHERE entries.id = ANY ($1::uuid[])
   AND judge_results.judge_version IN (SELECT judge_version FROM scores WHERE entry_id = entries.id)
 ORDER BY entries.id, completed_at DESC

-- name: entry_similarities
SELECT entry_id, metric, value, pairs, distinct_pairs, by_source::text AS by_source
  FROM similarities
 WHERE entry_id = ANY ($1::uuid[])

-- name: entry_ranks
-- Of each entry its newest.
SELECT asked.entry_id, found.*
  FROM unnest($1::uuid[]) AS asked (entry_id)
 CROSS JOIN LATERAL (
       SELECT scoring, rank, since_snapshot, since, until
         FROM rank_history
        WHERE rank_history.entry_id = asked.entry_id AND board = $2
        ORDER BY since_snapshot DESC, scoring
        LIMIT $3) AS found
 ORDER BY asked.entry_id, since_snapshot DESC, scoring

-- name: series_breaks
SELECT at, before, after, snapshot_id FROM series_breaks WHERE board = $1 ORDER BY at DESC LIMIT 100

-- name: entries_newest
-- Entries are found by their ids alone: while there are no statistics, as after an import, the planner
-- would go through a whole board for each of them.
SELECT found.id, found.board, model_name, organization, rank_history.rank, rank_history.since
  FROM rank_history
 CROSS JOIN LATERAL (SELECT * FROM entries WHERE entries.id = rank_history.entry_id OFFSET 0) AS found
 WHERE rank_history.board = ANY ($1) AND entered AND scoring = 'compat'
   AND found.board = rank_history.board AND found.listed AND found.removed_at IS NULL
 ORDER BY rank_history.since DESC, found.id
 LIMIT $2

-- name: snapshots_newest
-- One index probe for each board and scoring, however long the history is.
SELECT newest.id, b.board, s.scoring,
       EXISTS (SELECT FROM snapshot_statistics WHERE snapshot_id = newest.id) AS is_measured,
       (SELECT count(*) FROM links WHERE snapshot_id = newest.id) AS links,
       (SELECT coalesce(sum(num_nonnulls(published_at, resolved_at, ended_at)), 0)
          FROM notes WHERE notes.board = b.board) AS notes
  FROM boards b
 CROSS JOIN (VALUES ('compat'), ('strict')) AS s (scoring)
 CROSS JOIN LATERAL (
       SELECT id FROM snapshots
        WHERE snapshots.board = b.board AND snapshots.scoring = s.scoring
        ORDER BY id DESC
        LIMIT 1) AS newest
