-- A board may change while it is ranked: only rankers keep each other out.

-- When the snapshots catch up with an older revision, the board is behind since they were begun at the
-- earliest: now() is when the ranker's transaction began.
CREATE OR REPLACE FUNCTION boards_note_behind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.behind_since := CASE WHEN NEW.ranked_revision < NEW.revision
                             THEN CASE WHEN NEW.ranked_revision > OLD.ranked_revision THEN now()
                                       ELSE coalesce(OLD.behind_since, now()) END END;
    RETURN NEW;
END $$;

-- As before, but for the lock on the board, which no longer waits for a ranker.
CREATE OR REPLACE FUNCTION entries_take_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM entries WHERE id = NEW.replaces FOR NO KEY UPDATE;
    PERFORM FROM boards WHERE board = NEW.board FOR NO KEY UPDATE;
    UPDATE entries SET removed_at = now() WHERE id = NEW.replaces AND removed_at IS NULL;
    UPDATE submissions SET state = 'replaced'
     WHERE id = (SELECT submission_id FROM entries WHERE id = NEW.replaces)
       AND state IN ('scored', 'ranked');
    RETURN NULL;
END $$;
