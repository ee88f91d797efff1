-- What accounts used up: 'key:ID' or 'address:ADDRESS'. Rows older than any quota looks are removed.
CREATE TABLE quota_uses (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('submission', 'upload', 'judging')),
    submission_id uuid REFERENCES submissions ON DELETE CASCADE,
    run_id        uuid REFERENCES judge_runs ON DELETE CASCADE,
    bytes         bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    at            timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'submission') = (submission_id IS NOT NULL)),
    CHECK ((kind = 'judging') = (run_id IS NOT NULL))
);
CREATE INDEX quota_uses_lately ON quota_uses (account, kind, at DESC);
CREATE INDEX quota_uses_old ON quota_uses (at);
-- Uploads that became no submission are summed up, so that small ones cannot fill the table.
CREATE UNIQUE INDEX quota_uses_uploads ON quota_uses (account, at) WHERE kind = 'upload';
