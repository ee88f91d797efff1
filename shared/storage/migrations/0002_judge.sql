-- The judge: versions, caption pairs, verdicts (a permanent cache), runs and their batches, results;
-- and what a submission's watchers are told.

-- ------------------------------------------------------------------ verdicts
-- What a verdict depends on besides its texts: provider, model, prompt, rubric, parser, sampling.
CREATE TABLE judge_versions (
    hash       text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{8,64}$'),
    facts      jsonb NOT NULL,                       -- public: what the hash was made of
    is_stub    boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The judge as the running service has it; the gateway asks here whether judging is possible.
CREATE TABLE judge_service (
    singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    judge_version text REFERENCES judge_versions,    -- null: not configured
    repeats       smallint NOT NULL DEFAULT 1 CHECK (repeats > 0),   -- verdicts for each pair
    changed_at    timestamptz NOT NULL DEFAULT now()
);
INSERT INTO judge_service DEFAULT VALUES;

CREATE TABLE judge_pairs (
    sha256     bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    prediction bytea NOT NULL,                       -- UTF-8; bytes, as text cannot hold NUL
    reference  bytea NOT NULL                        -- ground truth: never leaves the server
);

-- One row for each judged text pair and repeat, for ever. An unscored one is replaced by a scored
-- one when a later run tries again; a scored one never changes.
CREATE TABLE judge_verdicts (
    judge_version     text NOT NULL REFERENCES judge_versions,
    pair              bytea NOT NULL REFERENCES judge_pairs,
    repeat            smallint NOT NULL CHECK (repeat >= 0),
    scores            smallint[] CHECK (cardinality(scores) = 5
                                        AND 1 <= ALL (scores) AND 5 >= ALL (scores)),   -- R2 R4 R5 R7 R8
    unscored          text,                          -- stable code: why there are no scores
    detail            text,                          -- the same for a human
    raw_reply         bytea,
    model             text,                          -- the one the provider says it used
    prompt_tokens     bigint NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
    completion_tokens bigint NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
    latency_ms        double precision CHECK (latency_ms >= 0),
    attempts          integer NOT NULL CHECK (attempts >= 0),         -- calls made for it, in all
    cost_microusd     bigint NOT NULL DEFAULT 0 CHECK (cost_microusd >= 0),   -- millionths of a US dollar
    judged_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (judge_version, pair, repeat),
    CONSTRAINT judge_verdicts_scored_or_not CHECK ((scores IS NULL) <> (unscored IS NULL))
);

-- Who is asking for a verdict right now, so that nobody pays for it twice. A holder renews its
-- claims; those of a dead one run out.
CREATE TABLE judge_claims (
    judge_version text NOT NULL,
    pair          bytea NOT NULL,
    repeat        smallint NOT NULL,
    holder        uuid NOT NULL,
    until         timestamptz NOT NULL,
    PRIMARY KEY (judge_version, pair, repeat)
);
CREATE INDEX judge_claims_holder ON judge_claims (holder);

-- ------------------------------------------------------------------ runs
CREATE TABLE judge_runs (
    id            uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submissions,
    judge_version text REFERENCES judge_versions,    -- set by planning
    state         text NOT NULL DEFAULT 'queued'
                  CHECK (state IN ('queued', 'running', 'paused', 'completed', 'failed')),
    reason        text,                              -- stable code: why it is paused or failed
    detail        text,                              -- the same for a human
    requested_by  text NOT NULL CHECK (requested_by IN ('owner', 'administrator', 'automatic')),
    repeats       smallint NOT NULL DEFAULT 1 CHECK (repeats > 0),
    plan          bytea,                             -- gzip JSON: every matched pair, by metric
    estimate      jsonb,
    items         integer NOT NULL DEFAULT 0,        -- distinct pairs x repeats
    items_cached  integer NOT NULL DEFAULT 0,        -- of these, known before
    items_done    integer NOT NULL DEFAULT 0,        -- terminal, cached ones included
    items_unscored integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    progress_at   timestamptz NOT NULL DEFAULT now(),    -- the last batch, or a reaper's announcement
    announced_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT judge_runs_reason CHECK ((state IN ('paused', 'failed')) = (reason IS NOT NULL)),
    CONSTRAINT judge_runs_counts CHECK (
        items >= items_done AND items_done >= items_cached AND items_cached >= 0
        AND items_unscored BETWEEN 0 AND items_done),
    CONSTRAINT judge_runs_planned CHECK (
        state IN ('queued', 'failed', 'paused') OR (plan IS NOT NULL AND judge_version IS NOT NULL))
);
CREATE UNIQUE INDEX judge_runs_one_unfinished ON judge_runs (submission_id)
    WHERE state IN ('queued', 'running', 'paused');
CREATE INDEX judge_runs_of_submission ON judge_runs (submission_id, created_at DESC);
CREATE INDEX judge_runs_unfinished ON judge_runs (progress_at) WHERE state IN ('queued', 'running');

CREATE FUNCTION judge_runs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('queued', 'running'), ('queued', 'paused'), ('queued', 'failed'),
        ('running', 'paused'), ('running', 'completed'), ('running', 'failed'),
        ('paused', 'queued'), ('paused', 'failed'), ('failed', 'queued')
    ) THEN
        RAISE EXCEPTION 'judge run % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'judge_runs_transition';
    END IF;
    NEW.changed_at := now();
    NEW.progress_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER judge_runs_transition BEFORE UPDATE OF state ON judge_runs
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION judge_runs_guard();

-- Small enough that a killed replica holds up little; their ids are never used again, so a message
-- about a batch that was planned anew finds nothing to do.
CREATE TABLE judge_batches (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     uuid NOT NULL REFERENCES judge_runs ON DELETE CASCADE,
    state      text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sent', 'done')),
    due_at     timestamptz NOT NULL DEFAULT now(),   -- not to be sent before
    sent_at    timestamptz
);
CREATE INDEX judge_batches_open ON judge_batches (run_id, state, due_at) WHERE state <> 'done';

-- What a run waits for: each distinct pair of the submission, each repeat.
CREATE TABLE judge_run_pairs (
    run_id   uuid NOT NULL REFERENCES judge_runs ON DELETE CASCADE,
    ordinal  integer NOT NULL CHECK (ordinal >= 0),  -- index of the text pair in the plan
    repeat   smallint NOT NULL CHECK (repeat >= 0),
    pair     bytea NOT NULL REFERENCES judge_pairs,
    metrics  text[] NOT NULL,                        -- the metrics it counts in
    uses     integer NOT NULL CHECK (uses > 0),      -- in how many matched pairs it counts
    batch_id bigint REFERENCES judge_batches ON DELETE SET NULL,
    tries    smallint NOT NULL DEFAULT 0,            -- how often it was put off by the provider
    terminal boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, ordinal, repeat)
);
CREATE INDEX judge_run_pairs_batch ON judge_run_pairs (batch_id) WHERE batch_id IS NOT NULL;

-- ------------------------------------------------------------------ results
-- One row for each completed run: nobody completes a run twice.
CREATE TABLE judge_results (
    run_id        uuid PRIMARY KEY REFERENCES judge_runs,
    submission_id uuid NOT NULL REFERENCES submissions,
    judge_version text NOT NULL REFERENCES judge_versions,
    facts         jsonb NOT NULL,                    -- public: coverage, aspect means, pairs by metric
    completed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX judge_results_of_submission ON judge_results (submission_id, completed_at DESC);

ALTER TABLE scores
    ADD COLUMN judge_version text REFERENCES judge_versions,
    ADD CONSTRAINT scores_judge_version CHECK (
        (judge_version IS NOT NULL)
        = (metric IN ('dvc_llm', 'vs_llm', 'rc_llm') AND metric_version IS NOT NULL));

-- The stub judge is for demonstrations: its numbers never reach the official board.
CREATE FUNCTION scores_no_stub_on_official() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM judge_versions WHERE hash = NEW.judge_version AND is_stub)
       AND EXISTS (SELECT FROM entries WHERE id = NEW.entry_id AND board = 'official') THEN
        RAISE EXCEPTION 'entry % is on the official board and cannot have a stub judge''s scores',
            NEW.entry_id USING ERRCODE = 'check_violation', CONSTRAINT = 'scores_no_stub_on_official';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER scores_no_stub_on_official BEFORE INSERT OR UPDATE ON scores
    FOR EACH ROW WHEN (NEW.judge_version IS NOT NULL) EXECUTE FUNCTION scores_no_stub_on_official();

-- ------------------------------------------------------------------ what watchers are told
CREATE TABLE submission_events (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    kind          text NOT NULL CHECK (kind IN ('submission', 'judging', 'progress')),
    data          jsonb NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (submission_id, id)
);

-- Events of a submission get their ids one after the other in the order of their commits, so that
-- a reader who asks for "all after the last I saw" misses none.
CREATE FUNCTION tell_watchers(submission uuid, kind text, data jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(submission::text, 2));
    INSERT INTO submission_events (submission_id, kind, data) VALUES (submission, kind, data);
END $$;

CREATE FUNCTION submission_history_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_watchers(NEW.submission_id, 'submission', jsonb_build_object('state', NEW.state));
    RETURN NULL;
END $$;
CREATE TRIGGER submission_history_told AFTER INSERT ON submission_history
    FOR EACH ROW EXECUTE FUNCTION submission_history_tell();

CREATE FUNCTION judge_runs_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_watchers(NEW.submission_id, 'judging', jsonb_build_object(
        'run_id', NEW.id, 'state', NEW.state, 'reason', NEW.reason,
        'items', NEW.items, 'items_done', NEW.items_done));
    RETURN NULL;
END $$;
CREATE TRIGGER judge_runs_asked AFTER INSERT ON judge_runs
    FOR EACH ROW EXECUTE FUNCTION judge_runs_tell();
CREATE TRIGGER judge_runs_told AFTER UPDATE OF state ON judge_runs
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION judge_runs_tell();
