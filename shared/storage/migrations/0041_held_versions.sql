-- A new version of a model with judged values waits, scored and unlisted, until it is judged: the one
-- before keeps its rank. It is listed in the transaction in which its judging ends, whatever ends it.

-- Judges what is known alone: a run that would cost a call fails, and its version goes on waiting.
ALTER TABLE judge_runs ADD COLUMN known_only boolean NOT NULL DEFAULT false;

-- Judging that never began leaves the version waiting: its owner may still ask for it.
CREATE FUNCTION judge_runs_list_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text;
BEGIN
    UPDATE entries SET listed = true
     WHERE submission_id = NEW.submission_id AND pending AND NOT listed AND removed_at IS NULL
       AND EXISTS (SELECT FROM submissions WHERE id = NEW.submission_id AND state = 'scored')
    RETURNING board INTO changed;
    UPDATE boards SET revision = revision + 1 WHERE board = changed;
    RETURN NULL;
END $$;
CREATE TRIGGER judge_runs_list_version AFTER UPDATE OF state ON judge_runs
    FOR EACH ROW WHEN (NEW.state = 'completed' AND OLD.state <> 'completed'
                       OR NEW.state = 'failed' AND OLD.state <> 'failed'
                          AND NEW.reason NOT IN ('verdicts_unknown', 'over_budget', 'withdrawn'))
    EXECUTE FUNCTION judge_runs_list_version();

-- A name that becomes free while a new version of its model waits is the new version's; one that has
-- its scores is listed with it.
CREATE OR REPLACE FUNCTION entries_hand_on_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE entries
       SET name_key = OLD.name_key, model_name = OLD.model_name, pending = false,
           listed = listed OR EXISTS (SELECT FROM submissions
                                       WHERE id = entries.submission_id AND state = 'scored')
     WHERE replaces = NEW.id AND pending AND removed_at IS NULL AND board = OLD.board;
    RETURN NULL;
END $$;
