-- Re-reading: what a judge replied is read with another parser, beside the scores in force; a kind of the jobs
-- that compute scores anew. Its entries are read by a judge, not scored by a scorer: so a state of its own, which
-- services of the version before do not look at.

ALTER TABLE rescore_jobs
    ADD COLUMN kind text NOT NULL DEFAULT 'rescore' CHECK (kind IN ('rescore', 'reread')),
    ADD COLUMN judge_version text REFERENCES judge_versions,        -- which judged values get
    ADD COLUMN from_judge_version text REFERENCES judge_versions,   -- which they have
    DROP CONSTRAINT rescore_jobs_state_check,
    ADD CONSTRAINT rescore_jobs_state_check CHECK (
        state IN ('scoring', 'reading', 'scored', 'ready', 'applied', 'discarded')),
    ADD CONSTRAINT rescore_jobs_kind_versions CHECK (
        (kind = 'rescore') = (judge_version IS NULL)
        AND (judge_version IS NULL) = (from_judge_version IS NULL)
        AND state <> CASE kind WHEN 'rescore' THEN 'reading' ELSE 'scoring' END);

DROP INDEX rescore_jobs_one_unfinished;
CREATE UNIQUE INDEX rescore_jobs_one_unfinished ON rescore_jobs ((true))
    WHERE state IN ('scoring', 'reading', 'scored', 'ready');

CREATE OR REPLACE FUNCTION rescore_jobs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('scoring', 'scored'), ('reading', 'scored'), ('scored', 'ready'), ('ready', 'applied'),
        ('ready', 'scored'),                                         -- its difference is out of date
        ('scored', 'scoring'), ('ready', 'scoring'),                 -- a part of it is scored again
        ('scoring', 'discarded'), ('reading', 'discarded'), ('scored', 'discarded'), ('ready', 'discarded')
    ) THEN
        RAISE EXCEPTION 're-score job % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'rescore_jobs_transition';
    END IF;
    NEW.changed_at := now();
    NEW.announced_at := now();
    RETURN NEW;
END $$;

ALTER TABLE rescore_items
    ADD COLUMN run_id uuid REFERENCES judge_runs,    -- whose replies are read again
    ADD COLUMN facts jsonb;                          -- what the result of that will be

ALTER TABLE shadow_scores
    DROP CONSTRAINT shadow_scores_metric_check,
    DROP CONSTRAINT shadow_scores_compat_check,
    DROP CONSTRAINT shadow_scores_strict_check,
    ADD CONSTRAINT shadow_scores_metric_check CHECK (metric IN (
        'cvs_acc', 'nap_acc', 'sa_acc', 'stg_miou', 'tag_miou_03', 'tag_miou_05', 'dvc_f1',
        'dvc_llm', 'vs_llm', 'rc_llm')),
    ADD CONSTRAINT shadow_scores_values CHECK (
        compat BETWEEN 0 AND CASE WHEN metric IN ('dvc_llm', 'vs_llm', 'rc_llm') THEN 5 ELSE 1 END
        AND strict BETWEEN 0 AND CASE WHEN metric IN ('dvc_llm', 'vs_llm', 'rc_llm') THEN 5 ELSE 1 END);
