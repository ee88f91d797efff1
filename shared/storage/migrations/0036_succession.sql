-- Succession: entries are judged by the judge that runs now beside the values in force; a kind of the jobs that
-- compute scores anew. What judges them are ordinary runs, with their caps, caches and pauses.

ALTER TABLE rescore_jobs
    DROP CONSTRAINT rescore_jobs_kind_check,
    DROP CONSTRAINT rescore_jobs_state_check,
    DROP CONSTRAINT rescore_jobs_kind_versions,
    ADD CONSTRAINT rescore_jobs_kind_check CHECK (kind IN ('rescore', 'reread', 'succession')),
    ADD CONSTRAINT rescore_jobs_state_check CHECK (
        state IN ('scoring', 'reading', 'judging', 'scored', 'ready', 'applied', 'discarded')),
    ADD CONSTRAINT rescore_jobs_kind_versions CHECK (
        (kind = 'rescore') = (judge_version IS NULL)
        AND (kind = 'reread') = (from_judge_version IS NOT NULL)
        AND (state NOT IN ('scoring', 'reading', 'judging')
             OR state = CASE kind WHEN 'rescore' THEN 'scoring' WHEN 'reread' THEN 'reading' ELSE 'judging' END));

DROP INDEX rescore_jobs_one_unfinished;
CREATE UNIQUE INDEX rescore_jobs_one_unfinished ON rescore_jobs ((true))
    WHERE state IN ('scoring', 'reading', 'judging', 'scored', 'ready');

CREATE OR REPLACE FUNCTION rescore_jobs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('scoring', 'scored'), ('reading', 'scored'), ('judging', 'scored'),
        ('scored', 'ready'), ('ready', 'applied'),
        ('ready', 'scored'),                                         -- its difference is out of date
        ('scored', 'scoring'), ('ready', 'scoring'),                 -- a part of it is scored again
        ('scoring', 'discarded'), ('reading', 'discarded'), ('judging', 'discarded'),
        ('scored', 'discarded'), ('ready', 'discarded')
    ) THEN
        RAISE EXCEPTION 're-score job % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'rescore_jobs_transition';
    END IF;
    NEW.changed_at := now();
    NEW.announced_at := now();
    RETURN NEW;
END $$;

ALTER TABLE rescore_items
    ADD COLUMN ground_truth_version text REFERENCES ground_truths,   -- that the entry was judged on
    ADD COLUMN is_confirmed boolean,                 -- the endpoint named the judge's own model
    -- By metric, how often a pair had which sum of its five scores by the old and by the new judge:
    -- [[old, new, count], ...].
    ADD COLUMN agreement jsonb;

-- A run of a job puts its values beside those in force.
ALTER TABLE judge_runs ADD COLUMN job_id uuid REFERENCES rescore_jobs;
CREATE INDEX judge_runs_of_job ON judge_runs (job_id) WHERE job_id IS NOT NULL;

-- What a call of this judge takes, for estimates; null while a judge of the version before runs.
ALTER TABLE judge_service ADD COLUMN figures jsonb;
