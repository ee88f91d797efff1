-- name: replicates_put
INSERT INTO replicates (entry_id, metric, scoring, statistics_version, replicates, interval, by_source,
                        ground_truth_version, metric_version, judge_version)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, $10)
ON CONFLICT (entry_id, metric, scoring) DO UPDATE
   SET statistics_version = EXCLUDED.statistics_version, replicates = EXCLUDED.replicates,
       interval = EXCLUDED.interval, by_source = EXCLUDED.by_source,
       ground_truth_version = EXCLUDED.ground_truth_version,
       metric_version = EXCLUDED.metric_version, judge_version = EXCLUDED.judge_version
