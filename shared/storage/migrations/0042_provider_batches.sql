-- Pairs that travel in a file to the provider's batch API, at half the price (docs/adr/0034).

-- ------------------------------------------------------------------ what is at the provider
-- The id is the key in the provider's metadata, the holder of the claims on its lines and the lease of its money.
CREATE TABLE judge_provider_batches (
    id            uuid PRIMARY KEY,
    run_id        uuid NOT NULL REFERENCES judge_runs ON DELETE CASCADE,
    judge_version text NOT NULL REFERENCES judge_versions,
    endpoint      text NOT NULL,                     -- host, port and path: who has its account looks after it
    reply_form    text NOT NULL CHECK (reply_form IN ('schema', 'lines')),
    price         jsonb NOT NULL,                    -- of a batch, in US dollars per million tokens
    lines         integer NOT NULL CHECK (lines > 0),
    reserved_microusd bigint NOT NULL DEFAULT 0 CHECK (reserved_microusd >= 0),
    state         text NOT NULL DEFAULT 'planned' CHECK (state IN (
                      'planned', 'uploaded', 'submitting', 'in_progress', 'collecting', 'deleting', 'done')),
    ended         text CHECK (ended IN ('completed', 'failed', 'expired', 'cancelled', 'abandoned', 'lost')),
    file_id       text,                              -- of the provider, as the next two
    provider_id   text,
    outputs       text[] NOT NULL DEFAULT '{}',
    cancelled_at  timestamptz,                       -- when the provider was asked to end it
    submitted_at  timestamptz,
    answered      integer NOT NULL DEFAULT 0,        -- lines with a verdict
    spent_microusd bigint NOT NULL DEFAULT 0,
    tries         smallint NOT NULL DEFAULT 0,       -- of the present step, in vain
    problem       text,                              -- why the last of them failed, for a human
    created_at    timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz NOT NULL DEFAULT now(),   -- of its next step
    holder        uuid,                              -- the replica that takes it
    held_until    timestamptz,
    CONSTRAINT judge_provider_batches_ended CHECK (
        (state IN ('collecting', 'deleting', 'done')) = (ended IS NOT NULL)),
    CONSTRAINT judge_provider_batches_submitted CHECK (
        state IN ('planned', 'uploaded', 'submitting') OR provider_id IS NOT NULL OR ended = 'abandoned')
);
CREATE INDEX judge_provider_batches_open ON judge_provider_batches (due_at) WHERE state <> 'done';
CREATE INDEX judge_provider_batches_of_run ON judge_provider_batches (run_id) WHERE state <> 'done';

-- ------------------------------------------------------------------ what waits for it
-- for_provider: to be put into a file; at_provider: in one.
ALTER TABLE judge_batches
    DROP CONSTRAINT judge_batches_state_check,
    ADD CONSTRAINT judge_batches_state_check CHECK (
        state IN ('planned', 'sent', 'done', 'for_provider', 'at_provider')),
    ADD COLUMN provider_batch uuid REFERENCES judge_provider_batches,
    ADD CONSTRAINT judge_batches_at_provider CHECK (state <> 'at_provider' OR provider_batch IS NOT NULL);
CREATE INDEX judge_batches_for_provider ON judge_batches (run_id, id) WHERE state = 'for_provider';
CREATE INDEX judge_batches_at_provider ON judge_batches (provider_batch, id) WHERE state = 'at_provider';

-- Asked for by its owner: judged online at once, at the full price.
ALTER TABLE judge_runs ADD COLUMN fast boolean NOT NULL DEFAULT false;
