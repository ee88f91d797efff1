-- Events in the order in which they happened, a quota for dry runs, and names as SPEC 4 compares them.

-- A step's time was that of its transaction's beginning, and a ranker's may begin before the scorer's
-- that it waits for: one submission in nine was ranked before it was scored. The order is that of the
-- position; from now on the time agrees with it, as rows of a submission are written one after the other.
ALTER TABLE submission_history ALTER COLUMN at SET DEFAULT clock_timestamp();
ALTER TABLE submission_events ALTER COLUMN at SET DEFAULT clock_timestamp();

-- Webhooks are sent in the order of the events; null: written before.
ALTER TABLE webhook_deliveries ADD COLUMN event_id bigint;
CREATE OR REPLACE FUNCTION submission_events_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (submission_id, kind, data, happened_at, event_id)
    SELECT submission_id, NEW.kind || '.' || (NEW.data ->> 'state'), NEW.data, NEW.at, NEW.id
      FROM webhooks
     WHERE submission_id = NEW.submission_id;
    RETURN NULL;
END $$;

ALTER TABLE quota_uses
    DROP CONSTRAINT quota_uses_kind_check,
    ADD CONSTRAINT quota_uses_kind_check
        CHECK (kind IN ('submission', 'upload', 'judging', 'validation'));

-- What SPEC 4 adds to a key that is in NFC and case-folded: every dash as '-', a run of white space as
-- one space. shared/benchmark/names.py has the same lists, and a test holds the two together.
CREATE FUNCTION entries_name_key(key text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT trim(' ' FROM regexp_replace(translate(key,
        E'\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2e17\u2e1a\u2e3a\u2e3b'
        || E'\u2e40\u2e5d\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d\U00010d6e\U00010ead'
        || E'\u0009\u000a\u000b\u000c\u000d\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005'
        || E'\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
        repeat('-', 27) || repeat(' ', 24)), ' +', ' ', 'g'))
$$;

-- Standing entries whose key is of the old rule: the later one of two that are the same by the new rule.
CREATE INDEX entries_kept_keys ON entries (board, entries_name_key(name_key))
    WHERE removed_at IS NULL AND name_key <> entries_name_key(name_key);

-- A gateway of the version before writes keys of its own rule; the new ones replace them, and the index
-- decides. What other triggers hand on stays as it is: a kept key must not fail whoever scores.
CREATE FUNCTION entries_compare_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name_key := entries_name_key(NEW.name_key);
    RETURN NEW;
END $$;
CREATE TRIGGER entries_new_name BEFORE INSERT ON entries
    FOR EACH ROW EXECUTE FUNCTION entries_compare_names();
CREATE TRIGGER entries_other_name BEFORE UPDATE OF name_key ON entries
    FOR EACH ROW WHEN (NEW.name_key <> OLD.name_key AND pg_trigger_depth() = 0)
    EXECUTE FUNCTION entries_compare_names();

-- A name that becomes free is that of the entry which kept an old key because of it. By its name this
-- trigger comes after entries_hand_on_name: a new version of the same model comes first.
CREATE FUNCTION entries_release_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE entries SET name_key = OLD.name_key
     WHERE id = (SELECT id FROM entries
                  WHERE board = OLD.board AND entries_name_key(name_key) = OLD.name_key
                    AND removed_at IS NULL AND name_key <> entries_name_key(name_key)
                  ORDER BY submitted_on, id
                  LIMIT 1)
       AND NOT EXISTS (SELECT FROM entries
                        WHERE board = OLD.board AND name_key = OLD.name_key AND removed_at IS NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER entries_release_name AFTER UPDATE OF removed_at, board, name_key ON entries
    FOR EACH ROW WHEN (OLD.removed_at IS NULL
                       AND (NEW.removed_at IS NOT NULL OR NEW.board <> OLD.board
                            OR NEW.name_key <> OLD.name_key))
    EXECUTE FUNCTION entries_release_name();
