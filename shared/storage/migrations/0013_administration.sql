-- What administrators do to entries, to judging and to dead letters; their signing in to the page.

-- ------------------------------------------------------------------ entries
ALTER TABLE entries
    ADD COLUMN verification_note text CHECK (verification_note <> '');

-- A stand-in judge's numbers never reach the official board: neither by being written there nor by
-- being brought there. Each side locks the entry before it looks, so that one sees the other.
CREATE OR REPLACE FUNCTION scores_no_stub_on_official() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    on_board text;
BEGIN
    SELECT board INTO on_board FROM entries WHERE id = NEW.entry_id FOR SHARE;
    IF on_board = 'official'
       AND EXISTS (SELECT FROM judge_versions WHERE hash = NEW.judge_version AND is_stub) THEN
        RAISE EXCEPTION 'entry % is on the official board and cannot have a stub judge''s scores',
            NEW.entry_id USING ERRCODE = 'check_violation', CONSTRAINT = 'scores_no_stub_on_official';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION entries_no_stub_on_official() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM scores JOIN judge_versions ON hash = judge_version AND is_stub
                WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'entry % has a stub judge''s scores and cannot be on the official board',
            NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_no_stub_on_official';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entries_no_stub_on_official BEFORE UPDATE OF board ON entries
    FOR EACH ROW WHEN (NEW.board = 'official' AND OLD.board <> 'official')
    EXECUTE FUNCTION entries_no_stub_on_official();

-- ------------------------------------------------------------------ judging
-- While judging is held no run is queued: whoever queues one finds it paused, and resuming queues it.
ALTER TABLE judge_service
    ADD COLUMN held_at timestamptz,                  -- null: judging goes on
    ADD COLUMN held_why text,
    ADD CONSTRAINT judge_service_held CHECK ((held_at IS NULL) = (held_why IS NULL));

CREATE OR REPLACE FUNCTION judge_runs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('queued', 'running'), ('queued', 'paused'), ('queued', 'failed'),
        ('running', 'paused'), ('running', 'completed'), ('running', 'failed'),
        ('paused', 'queued'), ('paused', 'failed'), ('failed', 'queued'), ('failed', 'paused')
    ) THEN
        RAISE EXCEPTION 'judge run % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'judge_runs_transition';
    END IF;
    NEW.changed_at := now();
    NEW.progress_at := now();
    RETURN NEW;
END $$;

-- Its name comes before that of the trigger above, and so does its turn. The lock makes a run that
-- is being queued and the beginning of a hold see each other.
CREATE FUNCTION judge_runs_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    SELECT held_at INTO since FROM judge_service FOR SHARE;
    IF since IS NOT NULL THEN
        NEW.state := 'paused';
        NEW.reason := 'judging_held';
        NEW.detail := 'judging is paused; the run goes on when it is resumed.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER judge_runs_hold BEFORE INSERT OR UPDATE OF state ON judge_runs
    FOR EACH ROW WHEN (NEW.state = 'queued') EXECUTE FUNCTION judge_runs_hold();

-- ------------------------------------------------------------------ dead letters
ALTER TABLE dead_letters
    ADD COLUMN discarded_at timestamptz,
    ADD CONSTRAINT dead_letters_one_end CHECK (replayed_at IS NULL OR discarded_at IS NULL);
CREATE INDEX dead_letters_open ON dead_letters (id)
    WHERE replayed_at IS NULL AND discarded_at IS NULL;

-- A submission that failed goes on only where an administrator replays what failed: that transaction
-- says so of itself, and is held to this one step by a guard of its own.
DROP TRIGGER submissions_transition ON submissions;
CREATE TRIGGER submissions_transition BEFORE UPDATE OF state ON submissions
    FOR EACH ROW WHEN (
        OLD.state IS DISTINCT FROM NEW.state
        AND current_setting('medvid.replaying', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION submissions_guard();

CREATE FUNCTION submissions_replay_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) <> ('failed', 'accepted') THEN
        RAISE EXCEPTION 'a replay cannot bring submission % from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'submissions_transition';
    END IF;
    NEW.changed_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER submissions_replayed BEFORE UPDATE OF state ON submissions
    FOR EACH ROW WHEN (
        OLD.state IS DISTINCT FROM NEW.state
        AND current_setting('medvid.replaying', true) IS NOT DISTINCT FROM 'yes')
    EXECUTE FUNCTION submissions_replay_guard();

-- ------------------------------------------------------------------ the administrators' page
-- Who signed in. The cookie's value is stored nowhere; a session ends with the key it was opened by.
CREATE TABLE admin_sessions (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    who          text NOT NULL,
    key_sha256   bytea NOT NULL CHECK (octet_length(key_sha256) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX admin_sessions_expiry ON admin_sessions (expires_at);
