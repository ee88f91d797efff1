-- Re-scoring: new scores are computed beside the ones in force, their difference is shown, and they
-- are put in force at once or not at all.

CREATE TABLE rescore_jobs (
    id                   uuid PRIMARY KEY,
    ground_truth_version text NOT NULL REFERENCES ground_truths,
    state                text NOT NULL DEFAULT 'scoring'
                         CHECK (state IN ('scoring', 'scored', 'ready', 'applied', 'discarded')),
    metric_version       text,                       -- of the code that scored; known when all is scored
    requested_by         text NOT NULL,
    why                  text NOT NULL,
    preview              bytea,                      -- gzip JSON: ranks and values before and after
    preview_number       integer NOT NULL DEFAULT 0, -- raised with each preview
    previewed            jsonb,                      -- the boards' revisions that the preview shows
    created_at           timestamptz NOT NULL DEFAULT now(),
    changed_at           timestamptz NOT NULL DEFAULT now(),
    announced_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rescore_jobs_preview CHECK (
        (preview IS NULL) = (previewed IS NULL)
        AND (state NOT IN ('ready', 'applied') OR preview IS NOT NULL))
);
-- One at a time: the difference of a second one would be out of date with the first's application.
CREATE UNIQUE INDEX rescore_jobs_one_unfinished ON rescore_jobs ((true))
    WHERE state IN ('scoring', 'scored', 'ready');

CREATE FUNCTION rescore_jobs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('scoring', 'scored'), ('scored', 'ready'), ('ready', 'applied'),
        ('ready', 'scored'),                                         -- its difference is out of date
        ('scored', 'scoring'), ('ready', 'scoring'),                 -- a part of it is scored again
        ('scoring', 'discarded'), ('scored', 'discarded'), ('ready', 'discarded')
    ) THEN
        RAISE EXCEPTION 're-score job % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'rescore_jobs_transition';
    END IF;
    NEW.changed_at := now();
    NEW.announced_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER rescore_jobs_transition BEFORE UPDATE OF state ON rescore_jobs
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION rescore_jobs_guard();

CREATE TABLE rescore_items (
    job_id         uuid NOT NULL REFERENCES rescore_jobs ON DELETE CASCADE,
    entry_id       uuid NOT NULL REFERENCES entries,
    submission_id  uuid NOT NULL REFERENCES submissions,
    state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'scored', 'failed')),
    metric_version text,
    failure_code   text,
    failure_reason text,
    announced_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, entry_id),
    CONSTRAINT rescore_items_scored CHECK ((state = 'scored') = (metric_version IS NOT NULL)),
    CONSTRAINT rescore_items_failed CHECK (
        (state = 'failed') = (failure_code IS NOT NULL AND failure_reason IS NOT NULL))
);
CREATE INDEX rescore_items_open ON rescore_items (job_id, announced_at) WHERE state = 'open';

-- The scores beside those in force.
CREATE TABLE shadow_scores (
    job_id    uuid NOT NULL,
    entry_id  uuid NOT NULL,
    metric    text NOT NULL CHECK (metric IN (
                  'cvs_acc', 'nap_acc', 'sa_acc', 'stg_miou', 'tag_miou_03', 'tag_miou_05', 'dvc_f1')),
    compat    double precision CHECK (compat BETWEEN 0 AND 1),
    strict    double precision CHECK (strict BETWEEN 0 AND 1),
    answered  integer NOT NULL CHECK (answered BETWEEN 0 AND expected),
    expected  integer NOT NULL CHECK (expected >= 0),
    by_source jsonb NOT NULL,
    PRIMARY KEY (job_id, entry_id, metric),
    FOREIGN KEY (job_id, entry_id) REFERENCES rescore_items ON DELETE CASCADE
);
