-- A judge's reasons, where they are asked for, and pairs that a provider never takes.

ALTER TABLE judge_verdicts
    ADD COLUMN rationale text;                       -- may repeat the reference: for administrators alone

ALTER TABLE judge_run_pairs
    ADD COLUMN throttled smallint NOT NULL DEFAULT 0;   -- how often it was, while others were answered
