-- What becomes of submissions after they are scored: withdrawn, replaced by a new version; and
-- submissions that are only evaluated, ranked by nobody but for their owner.

ALTER TABLE submissions
    DROP CONSTRAINT submissions_state_check,
    ADD CONSTRAINT submissions_state_check CHECK (
        state IN ('accepted', 'scored', 'ranked', 'failed', 'withdrawn', 'replaced')),
    ADD COLUMN withdrawn_by    text CHECK (withdrawn_by IN ('owner', 'administrator')),
    ADD COLUMN withdrawal_note text,
    ADD CONSTRAINT submissions_withdrawn_by_somebody
        CHECK ((state = 'withdrawn') = (withdrawn_by IS NOT NULL));
CREATE INDEX submissions_newest ON submissions (created_at DESC, id DESC);
CREATE INDEX submissions_of_token ON submissions (owner_token_sha256);

CREATE OR REPLACE FUNCTION submissions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('accepted', 'scored'), ('accepted', 'failed'), ('accepted', 'withdrawn'),
        ('scored', 'ranked'), ('scored', 'failed'), ('scored', 'withdrawn'), ('scored', 'replaced'),
        ('ranked', 'withdrawn'), ('ranked', 'replaced')
    ) THEN
        RAISE EXCEPTION 'submission % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'submissions_transition';
    END IF;
    NEW.changed_at := now();
    RETURN NEW;
END $$;

ALTER TABLE entries
    ADD COLUMN version      integer NOT NULL DEFAULT 1 CHECK (version > 0),
    ADD COLUMN replaces     uuid REFERENCES entries,          -- the version before
    -- A new version that waits for its scores; the one before is on the board until then.
    ADD COLUMN pending      boolean NOT NULL DEFAULT false,
    ADD COLUMN hypothetical boolean NOT NULL DEFAULT false,   -- evaluated only: on no board, ever
    ADD CONSTRAINT entries_hypothetical_on_no_board CHECK (NOT (hypothetical AND listed)),
    ADD CONSTRAINT entries_pending_replaces CHECK (NOT pending OR replaces IS NOT NULL),
    -- An entry that may not hold its name on the board has a key that no name has.
    ADD CONSTRAINT entries_nameless CHECK (
        (pending OR hypothetical) = (name_key = E'\x1f' || id::text));
CREATE UNIQUE INDEX entries_one_pending ON entries (replaces) WHERE pending AND removed_at IS NULL;
CREATE INDEX entries_replaces ON entries (replaces) WHERE replaces IS NOT NULL;

-- Whoever scores an entry lists it. A hypothetical one is never listed.
CREATE FUNCTION entries_stay_hypothetical() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.listed := false;
    RETURN NEW;
END $$;
CREATE TRIGGER entries_stay_hypothetical BEFORE UPDATE OF listed ON entries
    FOR EACH ROW WHEN (NEW.hypothetical AND NEW.listed) EXECUTE FUNCTION entries_stay_hypothetical();

-- A new version takes over in the transaction that lists it. Rows are locked in the order in which
-- everybody does it: entry, board, submission.
CREATE FUNCTION entries_take_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM entries WHERE id = NEW.replaces FOR NO KEY UPDATE;
    PERFORM FROM boards WHERE board = NEW.board FOR UPDATE;
    UPDATE entries SET removed_at = now() WHERE id = NEW.replaces AND removed_at IS NULL;
    UPDATE submissions SET state = 'replaced'
     WHERE id = (SELECT submission_id FROM entries WHERE id = NEW.replaces)
       AND state IN ('scored', 'ranked');
    RETURN NULL;
END $$;
CREATE TRIGGER entries_take_over AFTER UPDATE OF listed ON entries
    FOR EACH ROW WHEN (NEW.listed AND NOT OLD.listed AND NEW.pending)
    EXECUTE FUNCTION entries_take_over();

-- A name that becomes free while a new version of its model waits is the new version's.
CREATE FUNCTION entries_hand_on_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE entries SET name_key = OLD.name_key, model_name = OLD.model_name, pending = false
     WHERE replaces = NEW.id AND pending AND removed_at IS NULL AND board = OLD.board;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_hand_on_name AFTER UPDATE OF removed_at, board ON entries
    FOR EACH ROW WHEN ((OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL)
                       OR OLD.board <> NEW.board)
    EXECUTE FUNCTION entries_hand_on_name();

-- Hypothetical entries whose scores are new. A row for each change rather than a mark on the entry:
-- whoever ranks removes what it has seen, and locks nothing that a rival waits for.
CREATE TABLE hypothetical_due (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id uuid NOT NULL,
    board    text NOT NULL
);
CREATE FUNCTION scores_make_rank_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hypothetical_due (entry_id, board)
    SELECT id, board FROM entries WHERE id = NEW.entry_id AND hypothetical;
    RETURN NULL;
END $$;
CREATE TRIGGER scores_make_rank_due AFTER INSERT OR UPDATE ON scores
    FOR EACH ROW EXECUTE FUNCTION scores_make_rank_due();

-- Where a hypothetical entry would stand.
CREATE TABLE hypothetical_ranks (
    entry_id  uuid NOT NULL REFERENCES entries ON DELETE CASCADE,
    scoring   text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    revision  bigint NOT NULL,                       -- of the board that it was held against
    entries   integer NOT NULL CHECK (entries > 0),  -- on that board, this one among them
    content   jsonb NOT NULL,                        -- its row, as a board would show it
    ranked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entry_id, scoring)
);
