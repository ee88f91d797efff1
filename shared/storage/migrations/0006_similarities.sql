-- Similarities: how near the captions are to their references, by sentence embeddings. They are
-- shown beside the scores and never ranked.

CREATE TABLE similarities (
    entry_id             uuid NOT NULL REFERENCES entries ON DELETE CASCADE,
    metric               text NOT NULL CHECK (metric IN ('dvc_similarity', 'vs_similarity', 'rc_similarity')),
    value                double precision CHECK (value BETWEEN -1 AND 1),   -- null: no pair; also keeps NaN out
    pairs                integer NOT NULL CHECK (pairs >= 0),
    distinct_pairs       integer NOT NULL CHECK (distinct_pairs BETWEEN 0 AND pairs),
    by_source            jsonb NOT NULL DEFAULT '{}',
    -- Where the number comes from.
    ground_truth_version text NOT NULL REFERENCES ground_truths,
    similarity_version   text NOT NULL,
    file_sha256          text NOT NULL CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),
    measured_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entry_id, metric)
);

-- What still has to be measured. A row is written with the scores and leaves with the last
-- similarity; it stays, with its reason, where measuring failed for good.
CREATE TABLE similarities_due (
    submission_id uuid PRIMARY KEY REFERENCES submissions ON DELETE CASCADE,
    announced_at  timestamptz NOT NULL DEFAULT now(),
    failure_code  text
);
CREATE INDEX similarities_due_waiting ON similarities_due (announced_at) WHERE failure_code IS NULL;
