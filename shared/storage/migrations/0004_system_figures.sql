-- What is seen of the system: one sample for all processes, and since when a board is behind.

CREATE TABLE system_figures (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    figures    jsonb NOT NULL DEFAULT '{}',          -- {metric: {label: value}}
    claimed_at timestamptz NOT NULL DEFAULT 'epoch',   -- when a process last began to take a sample
    sampled_at timestamptz NOT NULL DEFAULT 'epoch'
);
INSERT INTO system_figures DEFAULT VALUES;

ALTER TABLE boards ADD COLUMN behind_since timestamptz;   -- null: its snapshots show its revision

CREATE FUNCTION boards_note_behind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.behind_since := CASE WHEN NEW.ranked_revision < NEW.revision
                             THEN coalesce(OLD.behind_since, now()) END;
    RETURN NEW;
END $$;
CREATE TRIGGER boards_behind BEFORE UPDATE OF revision, ranked_revision ON boards
    FOR EACH ROW EXECUTE FUNCTION boards_note_behind();
UPDATE boards SET behind_since = now() WHERE ranked_revision < revision;
