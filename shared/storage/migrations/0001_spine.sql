-- The spine: ground truth, submissions, entries, scores, boards, and the tables of the message bus.
-- Constraints do the guarding: a state that must not be is one that cannot be written.

-- ------------------------------------------------------------------ ground truth
CREATE TABLE ground_truths (
    version     text PRIMARY KEY CHECK (version ~ '^[0-9a-f]{64}$'),   -- sha256 of the unpacked file
    content     bytea NOT NULL,                                        -- gzip
    samples     integer NOT NULL CHECK (samples > 0),
    active      boolean NOT NULL,
    loaded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ground_truths_one_active ON ground_truths (active) WHERE active;

-- ------------------------------------------------------------------ submissions
CREATE TABLE submissions (
    id                   uuid PRIMARY KEY,
    state                text NOT NULL DEFAULT 'accepted'
                         CHECK (state IN ('accepted', 'scored', 'ranked', 'failed')),
    ground_truth_version text NOT NULL REFERENCES ground_truths,       -- what the upload was checked against
    file_sha256          text NOT NULL CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),   -- of the unpacked upload
    file_bytes           integer NOT NULL CHECK (file_bytes > 0),
    report               jsonb NOT NULL,                               -- the validation report shown to the owner
    contact              text,                                         -- never public
    owner_token_sha256   bytea NOT NULL CHECK (octet_length(owner_token_sha256) = 32),
    failure_code         text,
    failure_reason       text,
    created_at           timestamptz NOT NULL DEFAULT now(),
    changed_at           timestamptz NOT NULL DEFAULT now(),
    announced_at         timestamptz NOT NULL DEFAULT now(),           -- last time a message said that it waits
    CONSTRAINT submissions_failure_has_reason
        CHECK ((state = 'failed') = (failure_reason IS NOT NULL AND failure_code IS NOT NULL))
);
CREATE INDEX submissions_unfinished ON submissions (changed_at) WHERE state IN ('accepted', 'scored');

CREATE TABLE payloads (
    submission_id uuid PRIMARY KEY REFERENCES submissions ON DELETE CASCADE,
    content       bytea NOT NULL                                       -- gzip; bytes, as text cannot hold NUL
);

-- Every state change leaves a line, whoever makes it.
CREATE TABLE submission_history (
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    position      bigint GENERATED ALWAYS AS IDENTITY,
    state         text NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (submission_id, position)
);

CREATE FUNCTION submissions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('accepted', 'scored'), ('accepted', 'failed'), ('scored', 'ranked'), ('scored', 'failed')
    ) THEN
        RAISE EXCEPTION 'submission % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'submissions_transition';
    END IF;
    NEW.changed_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER submissions_transition BEFORE UPDATE OF state ON submissions
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION submissions_guard();

CREATE FUNCTION submissions_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO submission_history (submission_id, state) VALUES (NEW.id, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER submissions_accepted AFTER INSERT ON submissions
    FOR EACH ROW EXECUTE FUNCTION submissions_note();
CREATE TRIGGER submissions_changed AFTER UPDATE OF state ON submissions
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION submissions_note();

CREATE TABLE idempotency_keys (
    key_sha256     bytea PRIMARY KEY CHECK (octet_length(key_sha256) = 32),
    request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
    token_salt     bytea NOT NULL CHECK (octet_length(token_salt) = 32),
    submission_id  uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- ------------------------------------------------------------------ boards
CREATE TABLE boards (
    board           text PRIMARY KEY CHECK (board IN ('community', 'official')),
    revision        bigint NOT NULL DEFAULT 0,       -- raised with every change of what is ranked
    ranked_revision bigint NOT NULL DEFAULT 0,       -- the revision that the newest snapshots show
    CHECK (ranked_revision BETWEEN 0 AND revision)
);
INSERT INTO boards (board) VALUES ('community'), ('official');

CREATE TABLE entries (
    id            uuid PRIMARY KEY,
    board         text NOT NULL REFERENCES boards,
    model_name    text NOT NULL CHECK (model_name <> ''),
    name_key      text NOT NULL CHECK (name_key <> ''),               -- NFC and case-folded
    organization  text NOT NULL,
    team          text,
    authors       text,
    model_url     text CHECK (model_url ~* '^https?://'),
    track         text,
    badges        text[] NOT NULL DEFAULT '{}',
    submission_id uuid UNIQUE REFERENCES submissions,                 -- null: added by hand or imported
    submitted_on  date NOT NULL,
    verified_on   date,
    listed        boolean NOT NULL,                                   -- false until it has scores
    removed_at    timestamptz
);
-- A name is taken from the moment its upload is accepted until its entry is removed.
CREATE UNIQUE INDEX entries_unique_name ON entries (board, name_key) WHERE removed_at IS NULL;

CREATE TABLE scores (
    entry_id             uuid NOT NULL REFERENCES entries ON DELETE CASCADE,
    metric               text NOT NULL CHECK (metric IN (
                             'cvs_acc', 'nap_acc', 'sa_acc', 'stg_miou', 'tag_miou_03', 'tag_miou_05',
                             'dvc_f1', 'dvc_llm', 'vs_llm', 'rc_llm')),
    compat               double precision CHECK (compat BETWEEN 0 AND 5),   -- also keeps NaN out
    strict               double precision CHECK (strict BETWEEN 0 AND 5),
    answered             integer CHECK (answered BETWEEN 0 AND expected),
    expected             integer CHECK (expected >= 0),
    by_source            jsonb NOT NULL DEFAULT '{}',
    -- Where the number comes from; null only for numbers imported from a publication.
    ground_truth_version text REFERENCES ground_truths,
    metric_version       text,
    file_sha256          text,
    PRIMARY KEY (entry_id, metric),
    CONSTRAINT scores_provenance_is_whole CHECK (
        num_nulls(ground_truth_version, metric_version, file_sha256, answered, expected) IN (0, 5))
);

CREATE TABLE snapshots (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    board          text NOT NULL REFERENCES boards,
    scoring        text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    revision       bigint NOT NULL,
    content        bytea NOT NULL,                   -- JSON: a list of ranked rows, served as it is
    content_sha256 text NOT NULL CHECK (content_sha256 ~ '^[0-9a-f]{64}$'),
    entries        integer NOT NULL CHECK (entries >= 0),
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (board, scoring, revision)
);
CREATE INDEX snapshots_newest ON snapshots (board, scoring, id DESC);

-- ------------------------------------------------------------------ message bus
CREATE TABLE outbox (
    position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id   uuid NOT NULL UNIQUE,
    type         text NOT NULL,
    body         bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (position) WHERE published_at IS NULL;

CREATE TABLE inbox (
    consumer   text NOT NULL,
    message_id uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);

-- Deliveries of the standalone bus; unused where RabbitMQ carries the messages.
CREATE TABLE queue_messages (
    queue        text NOT NULL,
    message_id   uuid NOT NULL,
    type         text NOT NULL,
    body         bytea NOT NULL,
    attempt      integer NOT NULL DEFAULT 1 CHECK (attempt > 0),       -- raised by each delayed retry
    deliveries   integer NOT NULL DEFAULT 0 CHECK (deliveries >= 0),   -- raised by each hand-out
    available_at timestamptz NOT NULL DEFAULT now(),
    lease        uuid,
    leased_until timestamptz,
    enqueued_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, message_id),
    CHECK ((lease IS NULL) = (leased_until IS NULL))
);
CREATE INDEX queue_messages_ready ON queue_messages (queue, available_at);

CREATE TABLE dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue       text NOT NULL,
    message_id  uuid NOT NULL,                       -- made from the body where it could not be read
    type        text,
    reason      text NOT NULL,                       -- stable code
    detail      text NOT NULL,                       -- for a human
    attempts    integer NOT NULL CHECK (attempts > 0),
    body        bytea NOT NULL,
    died_at     timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz
);
CREATE UNIQUE INDEX dead_letters_once ON dead_letters (queue, message_id) WHERE replayed_at IS NULL;
