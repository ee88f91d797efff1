-- What replicas tell each other about the provider, whose runs take turns, and how a judge was held
-- against humans.

-- ------------------------------------------------------------------ the provider
-- What was found out last, by whichever replica. At most one of them probes at a time.
CREATE TABLE judge_provider_findings (
    judge_version text PRIMARY KEY REFERENCES judge_versions,
    reason        text,                              -- null: it works
    down_until    timestamptz,                       -- not to be probed before
    probe_until   timestamptz,                       -- somebody is probing; runs out if they died
    found_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((reason IS NULL) = (down_until IS NULL))
);

-- ------------------------------------------------------------------ whose turn it is
-- Owners share what is on the bus, and then the runs of each: nobody gets more by sending more.
ALTER TABLE judge_runs ADD COLUMN owner text NOT NULL DEFAULT '';

CREATE FUNCTION judge_runs_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce('key:' || k.owner, 'organization:' || lower(e.organization), 'submission:' || s.id)
      INTO STRICT NEW.owner
      FROM submissions s
      LEFT JOIN api_keys k ON k.id = s.key_id
      LEFT JOIN entries e ON e.submission_id = s.id
     WHERE s.id = NEW.submission_id;
    RETURN NEW;
END $$;
CREATE TRIGGER judge_runs_owned BEFORE INSERT ON judge_runs
    FOR EACH ROW EXECUTE FUNCTION judge_runs_owner();

CREATE INDEX judge_runs_running ON judge_runs (owner) WHERE state = 'running';
CREATE INDEX judge_batches_planned ON judge_batches (run_id, id) WHERE state = 'planned';
CREATE INDEX judge_batches_sent ON judge_batches (run_id) WHERE state = 'sent';

-- ------------------------------------------------------------------ calibration
CREATE TABLE judge_calibrations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    judge_version text NOT NULL REFERENCES judge_versions,
    report        jsonb NOT NULL,                    -- public: agreement with humans, bias, whether it passed
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX judge_calibrations_newest ON judge_calibrations (judge_version, id DESC);
