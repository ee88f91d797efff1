-- How firm a board's order is: beside each snapshot that has replicates, a document of its own.

ALTER TABLE snapshots
    -- Of all replicates behind its values: others give another snapshot of the same values. Null: there
    -- are none, too many entries to rank them in, or the version before wrote it.
    ADD COLUMN replicates_sha256 text CHECK (replicates_sha256 ~ '^[0-9a-f]{64}$');

CREATE TABLE snapshot_statistics (
    snapshot_id        bigint PRIMARY KEY REFERENCES snapshots ON DELETE CASCADE,
    statistics_version text NOT NULL,
    content            bytea NOT NULL,               -- JSON: of each ranked entry, and detectable differences
    sha256             text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    created_at         timestamptz NOT NULL DEFAULT now()
);
