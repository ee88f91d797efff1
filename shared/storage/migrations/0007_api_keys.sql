-- API keys: who may do more than an anonymous visitor. Only hashes are stored.
CREATE TABLE api_keys (
    id                   uuid PRIMARY KEY,
    label                text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),
    owner                text NOT NULL CHECK (char_length(owner) BETWEEN 1 AND 200),
    key_sha256           bytea NOT NULL UNIQUE CHECK (octet_length(key_sha256) = 32),
    scopes               text[] NOT NULL
                         CHECK (cardinality(scopes) > 0 AND scopes <@ '{submit,judge,admin}'::text[]),
    -- Quotas of its own; null: the ones that all keys have.
    submissions_per_day  integer CHECK (submissions_per_day >= 0),
    bytes_per_day        bigint CHECK (bytes_per_day >= 0),
    judge_runs_per_month integer CHECK (judge_runs_per_month >= 0),
    created_at           timestamptz NOT NULL DEFAULT now(),
    created_by           text NOT NULL,              -- 'administrator', 'key:ID' or 'address:...'
    last_used_at         timestamptz,                -- to the minute
    revoked_at           timestamptz
);
CREATE INDEX api_keys_newest ON api_keys (created_at DESC, id DESC);
CREATE INDEX api_keys_creators ON api_keys (created_by, created_at);

-- The key that a submission was sent with; it owns the submission as its owner token does.
ALTER TABLE submissions ADD COLUMN key_id uuid REFERENCES api_keys;
CREATE INDEX submissions_of_key ON submissions (key_id, created_at DESC) WHERE key_id IS NOT NULL;
