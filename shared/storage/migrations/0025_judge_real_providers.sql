-- What the judge finds out about real providers: the form in which an endpoint replies, who answered,
-- calls that were paid for in vain, and questions that failed while a provider was down.

-- ------------------------------------------------------------------ endpoints
-- Found once for all replicas: with a schema, or in lines.
CREATE TABLE judge_endpoints (
    endpoint   text NOT NULL,                        -- host, port and path
    model      text NOT NULL,
    reply_form text NOT NULL CHECK (reply_form IN ('schema', 'lines')),
    decided_by text NOT NULL,                        -- what it said when it was decided
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (endpoint, model)
);

ALTER TABLE judge_provider_findings
    ADD COLUMN failed_calls integer NOT NULL DEFAULT 0;   -- in a row, of those that asked whether it is up

-- ------------------------------------------------------------------ verdicts
ALTER TABLE judge_verdicts
    ADD COLUMN reply_form text CHECK (reply_form IN ('schema', 'lines')),
    ADD COLUMN served_by jsonb,                      -- what endpoint and gateways say about who answered
    ADD COLUMN is_confirmed boolean NOT NULL DEFAULT true;   -- false: another name than the model's own

ALTER TABLE judge_run_pairs
    ADD COLUMN calls integer NOT NULL DEFAULT 0;     -- made for it so far, without a verdict

-- ------------------------------------------------------------------ runs
ALTER TABLE judge_runs
    ADD COLUMN reply_form text CHECK (reply_form IN ('schema', 'lines')),
    ADD COLUMN is_cautious boolean NOT NULL DEFAULT false,   -- resumed: one pair at a time until a verdict
    ADD COLUMN cost_estimated boolean NOT NULL DEFAULT false,   -- a call told no usage that can be believed
    ADD COLUMN wasted_calls integer NOT NULL DEFAULT 0,      -- billed, without a verdict
    ADD COLUMN wasted_microusd bigint NOT NULL DEFAULT 0,
    ADD COLUMN wasted_reasons jsonb NOT NULL DEFAULT '{}',   -- reason -> calls
    ADD COLUMN wasted_forgiven integer NOT NULL DEFAULT 0;   -- of them, before a person resumed it

-- A run that is queued again goes on with one pair; what was wasted before a person resumed it is forgiven.
CREATE OR REPLACE FUNCTION judge_runs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('queued', 'running'), ('queued', 'paused'), ('queued', 'failed'),
        ('running', 'paused'), ('running', 'completed'), ('running', 'failed'),
        ('paused', 'queued'), ('paused', 'failed'), ('failed', 'queued'), ('failed', 'paused')
    ) THEN
        RAISE EXCEPTION 'judge run % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'judge_runs_transition';
    END IF;
    IF NEW.state = 'queued' THEN
        NEW.is_cautious := true;
        IF OLD.state = 'failed' OR OLD.reason = 'needs_operator' THEN
            NEW.wasted_forgiven := NEW.wasted_calls;
        END IF;
    END IF;
    NEW.changed_at := now();
    NEW.progress_at := now();
    RETURN NEW;
END $$;

-- ------------------------------------------------------------------ the official board
-- An entry whose verdicts another model may have given never reaches it: neither by being written there
-- nor by being brought there.
CREATE FUNCTION entries_no_unconfirmed_on_official() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entry % was judged by a model that is not confirmed, and cannot be on the official board',
        NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_no_unconfirmed_on_official';
END $$;
CREATE TRIGGER entries_no_unconfirmed_on_official BEFORE INSERT OR UPDATE OF board, badges ON entries
    FOR EACH ROW WHEN (NEW.board = 'official' AND 'judge_unconfirmed' = ANY (NEW.badges))
    EXECUTE FUNCTION entries_no_unconfirmed_on_official();
