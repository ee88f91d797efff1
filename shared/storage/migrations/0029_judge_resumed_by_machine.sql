-- A run that a machine resumes after bad replies leaves out what no second call changes; a person has
-- everything asked for again. True until it is planned.
ALTER TABLE judge_runs ADD COLUMN leaves_final boolean NOT NULL DEFAULT false;
