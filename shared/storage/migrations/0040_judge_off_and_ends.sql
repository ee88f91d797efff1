-- Why nobody judges, by the judge that started last: null where one judges, or none ever started.
ALTER TABLE judge_service ADD COLUMN off_reason text;

-- Days on which replicas say that a judge's model ends: of those said lately the earliest counts, so that a replica
-- with another setting, or none, takes nothing back. 'infinity' is said where none is set.
CREATE TABLE judge_ends_said (
    judge_version text NOT NULL REFERENCES judge_versions,
    day           date NOT NULL,
    said_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (judge_version, day)
);
