-- Panels: several judges whose values together are one. A panel is a judge version, and so is each of its members.

-- Who gives the verdicts of a judge version: a single judge itself, of a panel its members.
CREATE TABLE judge_members (
    judge_version  text NOT NULL REFERENCES judge_versions,
    member         smallint NOT NULL CHECK (member >= 0),    -- as judge_run_pairs counts them
    member_version text NOT NULL REFERENCES judge_versions,
    PRIMARY KEY (judge_version, member),
    UNIQUE (judge_version, member_version)
);
INSERT INTO judge_members (judge_version, member, member_version) SELECT hash, 0, hash FROM judge_versions;

-- By a trigger, so that versions that a service of the version before adds have theirs.
CREATE FUNCTION judge_versions_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.facts ? 'members' THEN
        INSERT INTO judge_members (judge_version, member, member_version)
        SELECT NEW.hash, number - 1, member ->> 'judge_version'
          FROM jsonb_array_elements(NEW.facts -> 'members') WITH ORDINALITY AS each (member, number);
    ELSE
        INSERT INTO judge_members (judge_version, member, member_version) VALUES (NEW.hash, 0, NEW.hash);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER judge_versions_have_members AFTER INSERT ON judge_versions
    FOR EACH ROW EXECUTE FUNCTION judge_versions_members();

-- A run's pairs are there once for each member; a batch has pairs of one.
ALTER TABLE judge_run_pairs
    ADD COLUMN member smallint NOT NULL DEFAULT 0 CHECK (member >= 0),
    DROP CONSTRAINT judge_run_pairs_pkey,
    ADD PRIMARY KEY (run_id, ordinal, repeat, member);   -- a pair is found by its place, whatever is estimated
ALTER TABLE judge_batches ADD COLUMN member smallint NOT NULL DEFAULT 0 CHECK (member >= 0);

-- A run that ended without members that were down has another judge version, the panel of the others. The
-- whole panel is asked for once they answer.
ALTER TABLE judge_results ADD COLUMN wanted_version text REFERENCES judge_versions;
CREATE INDEX judge_results_incomplete ON judge_results (submission_id) WHERE wanted_version IS NOT NULL;

-- Members of panels whose provider is down: their batches wait, and the others' go on.
CREATE VIEW judge_members_down AS
SELECT m.judge_version, m.member, m.member_version, f.reason
  FROM judge_members m
  JOIN judge_provider_findings f ON f.judge_version = m.member_version AND f.reason IS NOT NULL
 WHERE m.member_version <> m.judge_version;
