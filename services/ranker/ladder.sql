-- name: ladder_scores
-- Of an entry that is only evaluated, in both scorings, with what its owner was shown of the same value.
SELECT s.metric, c.scoring, c.value, s.ground_truth_version, s.metric_version, s.judge_version,
       n.replicates, (n.interval ->> 'clusters')::integer AS clusters, a.shown, a.step, a.repeats,
       sent.key_id, coalesce(e.evaluations_before, 0) + 1 AS asked
  FROM entries e
  JOIN submissions sent ON sent.id = e.submission_id
  JOIN scores s ON s.entry_id = e.id
 CROSS JOIN LATERAL (VALUES ('compat', s.compat), ('strict', s.strict)) AS c (scoring, value)
  LEFT JOIN current_replicates n ON n.entry_id = e.id AND n.metric = s.metric
                                AND n.scoring = c.scoring AND n.statistics_version = $2
  LEFT JOIN ladder_answers a ON a.entry_id = e.id AND a.metric = s.metric AND a.scoring = c.scoring
                            AND (a.ground_truth_version, a.metric_version)
                                = (s.ground_truth_version, s.metric_version)
                            AND a.judge_version IS NOT DISTINCT FROM s.judge_version
 WHERE e.id = $1 AND c.value IS NOT NULL
 ORDER BY s.metric, c.scoring

-- name: ladder_rungs
SELECT metric, scoring, ground_truth_version, metric_version, judge_version, value, replicates, clusters,
       shown, step
  FROM ladder_rungs
 WHERE key_id = $1 AND statistics_version = $2
 ORDER BY id

-- name: ladder_answer_put
INSERT INTO ladder_answers (entry_id, metric, scoring, ground_truth_version, metric_version, judge_version,
                            shown, step, repeats)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (entry_id, metric, scoring) DO UPDATE
   SET ground_truth_version = excluded.ground_truth_version, metric_version = excluded.metric_version,
       judge_version = excluded.judge_version, shown = excluded.shown, step = excluded.step,
       repeats = excluded.repeats

-- name: ladder_rung_add
INSERT INTO ladder_rungs (key_id, metric, scoring, ground_truth_version, statistics_version, metric_version,
                          judge_version, value, replicates, clusters, shown, step)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
