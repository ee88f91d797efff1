-- Judges that are alive: their work is cut for as many as there are.
CREATE TABLE judge_replicas (
    id      uuid        PRIMARY KEY,
    batches integer     NOT NULL CHECK (batches >= 1),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE judge_replicas IS 'Judges that are alive, as each announces itself every two seconds';
COMMENT ON COLUMN judge_replicas.batches IS 'How many batches it takes at a time';

-- What bounds the judge in force, for those who decide how many replicas are of use.
ALTER TABLE judge_service
    ADD COLUMN month_cap_microusd  bigint,
    ADD COLUMN requests_per_minute float8,
    ADD COLUMN tokens_per_minute   float8;
