-- What lets strangers recompute a board: its values with where they come from, and a chain of hashes.

-- Beside each snapshot, and deleted with it: the values of its entries to 4 decimals, by what they were
-- computed from. Snapshots of the version before have none.
CREATE TABLE snapshot_values (
    snapshot_id bigint PRIMARY KEY REFERENCES snapshots ON DELETE CASCADE,
    content     bytea NOT NULL,                      -- JSON; public
    sha256      text NOT NULL GENERATED ALWAYS AS (encode(sha256(content), 'hex')) STORED,
    -- Hashed with the replicates, so that nobody finds these by trial. It is never served but to auditors.
    salt        bytea NOT NULL CHECK (octet_length(salt) = 32)
);

CREATE TABLE signing_keys (
    key_id        text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{16}$'),
    public_key    text NOT NULL UNIQUE CHECK (public_key ~ '^[0-9a-f]{64}$'),
    first_used_at timestamptz NOT NULL DEFAULT now()
);

-- A link for each document of a board, which names the link before it. They outlive their documents, so
-- nothing refers to these.
CREATE TABLE links (
    board       text NOT NULL REFERENCES boards,
    number      bigint NOT NULL CHECK (number > 0),
    snapshot_id bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('snapshot', 'statistics')),
    previous    text,
    body        bytea NOT NULL,                      -- canonical JSON of all of it; what is signed
    hash        text NOT NULL GENERATED ALWAYS AS (encode(sha256(body), 'hex')) STORED,
    key_id      text REFERENCES signing_keys,        -- null: no key was set
    signature   text CHECK (signature ~ '^[0-9a-f]{128}$'),
    linked_at   timestamptz NOT NULL DEFAULT now(),
    before      bigint GENERATED ALWAYS AS (nullif(number - 1, 0)) STORED,
    PRIMARY KEY (board, number),
    UNIQUE (board, number, hash),
    CONSTRAINT links_once UNIQUE (snapshot_id, kind),
    CONSTRAINT links_unbroken FOREIGN KEY (board, before, previous) REFERENCES links (board, number, hash),
    CONSTRAINT links_name_what_is_before CHECK ((previous IS NULL) = (number = 1)),
    CONSTRAINT links_are_signed_whole CHECK ((key_id IS NULL) = (signature IS NULL)),
    CONSTRAINT links_say_what_they_hash CHECK (
        convert_from(body, 'UTF8')::jsonb @> jsonb_build_object(
            'board', board, 'number', number, 'snapshot', snapshot_id, 'kind', kind, 'previous', previous))
);

CREATE FUNCTION links_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the chain of links is only ever added to, % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'links_append_only';
END $$;
CREATE TRIGGER links_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON links
    FOR EACH STATEMENT EXECUTE FUNCTION links_refuse();
