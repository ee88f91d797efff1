-- How firm values are: replicates of each value over resampled videos, and what is told of them.

-- They never leave the server: with the public draws they tell each video's part of a value. A row belongs
-- to its score only while the versions of both are the same.
CREATE TABLE replicates (
    entry_id             uuid NOT NULL,
    metric               text NOT NULL,
    scoring              text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    ground_truth_version text NOT NULL REFERENCES ground_truths,
    statistics_version   text NOT NULL,
    metric_version       text NOT NULL,
    judge_version        text REFERENCES judge_versions,
    replicates           bytea NOT NULL CHECK (octet_length(replicates) = 8000),   -- float64, little-endian
    digest               bytea NOT NULL GENERATED ALWAYS AS (sha256(replicates)) STORED,
    interval             jsonb NOT NULL,             -- se, low, high, clusters, undefined, few_videos
    by_source            jsonb NOT NULL,             -- the same of each source
    PRIMARY KEY (entry_id, metric, scoring),
    FOREIGN KEY (entry_id, metric) REFERENCES scores ON DELETE CASCADE
);
ALTER TABLE replicates ALTER COLUMN replicates SET STORAGE EXTERNAL;   -- noise does not compress

CREATE VIEW current_replicates AS
SELECT r.*
  FROM replicates r
  JOIN scores s USING (entry_id, metric)
 WHERE (r.ground_truth_version, r.metric_version) = (s.ground_truth_version, s.metric_version)
   AND r.judge_version IS NOT DISTINCT FROM s.judge_version;

-- Beside the scores of a re-score job, and dropped with them.
CREATE TABLE shadow_replicates (
    job_id             uuid NOT NULL,
    entry_id           uuid NOT NULL,
    metric             text NOT NULL,
    scoring            text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    statistics_version text NOT NULL,
    replicates         bytea NOT NULL CHECK (octet_length(replicates) = 8000),
    interval           jsonb NOT NULL,
    by_source          jsonb NOT NULL,
    PRIMARY KEY (job_id, entry_id, metric, scoring),
    FOREIGN KEY (job_id, entry_id, metric) REFERENCES shadow_scores ON DELETE CASCADE
);
ALTER TABLE shadow_replicates ALTER COLUMN replicates SET STORAGE EXTERNAL;
