-- What came before an entry, and what its owner is told of submissions that are only evaluated.

-- By API key: all that was ever sent with it, whatever is pruned later. Counted here and not by queries, so
-- that entries sent at the same time are counted one after the other.
CREATE TABLE key_histories (
    key_id      uuid PRIMARY KEY REFERENCES api_keys,
    versions    integer NOT NULL DEFAULT 0 CHECK (versions >= 0),      -- sent for a board
    evaluations integer NOT NULL DEFAULT 0 CHECK (evaluations >= 0),   -- sent to be evaluated only
    withdrawals integer NOT NULL DEFAULT 0 CHECK (withdrawals >= 0)    -- of versions
);

-- Of the key's history when the entry was sent; null: sent without a key.
ALTER TABLE entries
    ADD COLUMN versions_before    integer CHECK (versions_before >= 0),
    ADD COLUMN evaluations_before integer CHECK (evaluations_before >= 0),
    ADD COLUMN withdrawals_before integer CHECK (withdrawals_before >= 0);

INSERT INTO key_histories (key_id, versions, evaluations, withdrawals)
SELECT s.key_id,
       count(*) FILTER (WHERE NOT e.hypothetical AND s.state <> 'failed'),
       count(*) FILTER (WHERE e.hypothetical AND s.state <> 'failed'),
       count(*) FILTER (WHERE NOT e.hypothetical AND s.state = 'withdrawn')
  FROM submissions s
  JOIN entries e ON e.submission_id = s.id
 WHERE s.key_id IS NOT NULL
 GROUP BY s.key_id;

WITH sent AS (
    SELECT e.id, s.key_id, s.created_at, e.hypothetical AND s.state <> 'failed' AS evaluated,
           NOT e.hypothetical AND s.state <> 'failed' AS version,
           CASE WHEN NOT e.hypothetical AND s.state = 'withdrawn' THEN s.changed_at END AS withdrawn_at
      FROM submissions s
      JOIN entries e ON e.submission_id = s.id
     WHERE s.key_id IS NOT NULL
), happened AS (          -- each submission and each withdrawal, in the order of time
    SELECT id, key_id, created_at AS at, evaluated, version, false AS withdrawn FROM sent
     UNION ALL
    SELECT NULL, key_id, withdrawn_at, false, false, true FROM sent WHERE withdrawn_at IS NOT NULL
), counted AS (
    SELECT id, count(*) FILTER (WHERE version) OVER earlier AS versions,
           count(*) FILTER (WHERE evaluated) OVER earlier AS evaluations,
           count(*) FILTER (WHERE withdrawn) OVER earlier AS withdrawals
      FROM happened
    WINDOW earlier AS (PARTITION BY key_id ORDER BY at, id
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
UPDATE entries
   SET versions_before = versions, evaluations_before = evaluations, withdrawals_before = withdrawals
  FROM counted
 WHERE entries.id = counted.id;

CREATE FUNCTION entries_count_before() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sender uuid := (SELECT key_id FROM submissions WHERE id = NEW.submission_id);
BEGIN
    IF sender IS NOT NULL THEN
        INSERT INTO key_histories (key_id) VALUES (sender) ON CONFLICT DO NOTHING;
        UPDATE key_histories
           SET versions = versions + (NOT NEW.hypothetical)::integer,
               evaluations = evaluations + NEW.hypothetical::integer
         WHERE key_id = sender
        RETURNING versions - (NOT NEW.hypothetical)::integer,
                  evaluations - NEW.hypothetical::integer, withdrawals
             INTO NEW.versions_before, NEW.evaluations_before, NEW.withdrawals_before;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entries_count_before BEFORE INSERT ON entries
    FOR EACH ROW WHEN (NEW.submission_id IS NOT NULL) EXECUTE FUNCTION entries_count_before();

-- A failure was the server's and told nothing, so it does not count.
CREATE FUNCTION submissions_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    evaluated boolean := (SELECT hypothetical FROM entries WHERE submission_id = NEW.id);
    more integer := (OLD.state = 'failed')::integer - (NEW.state = 'failed')::integer;
BEGIN
    UPDATE key_histories
       SET versions = versions + CASE WHEN evaluated THEN 0 ELSE more END,
           evaluations = evaluations + CASE WHEN evaluated THEN more ELSE 0 END,
           withdrawals = withdrawals + (NEW.state = 'withdrawn' AND NOT evaluated)::integer
     WHERE key_id = NEW.key_id AND evaluated IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER submissions_count AFTER UPDATE OF state ON submissions
    FOR EACH ROW WHEN (NEW.key_id IS NOT NULL AND OLD.state <> NEW.state
                       AND (NEW.state IN ('failed', 'withdrawn') OR OLD.state = 'failed'))
    EXECUTE FUNCTION submissions_count();

-- Who was evaluated without a place on a board, and when: a budget for each day and for ever. `account` as
-- in quota_uses.
CREATE TABLE evaluate_only_uses (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account       text NOT NULL,
    submission_id uuid REFERENCES submissions ON DELETE SET NULL,
    at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX evaluate_only_uses_of_account ON evaluate_only_uses (account, at DESC);
CREATE INDEX evaluate_only_uses_of_submission ON evaluate_only_uses (submission_id);
INSERT INTO evaluate_only_uses (account, submission_id, at)
SELECT 'key:' || s.key_id, s.id, s.created_at
  FROM submissions s
  JOIN entries e ON e.submission_id = s.id AND e.hypothetical
 WHERE s.key_id IS NOT NULL;

-- What was told of each value (Ladder): a value that is asked for again is told as before.
CREATE TABLE ladder_answers (
    entry_id             uuid NOT NULL REFERENCES entries ON DELETE CASCADE,
    metric               text NOT NULL,
    scoring              text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    ground_truth_version text NOT NULL,
    metric_version       text NOT NULL,
    judge_version        text,
    shown                double precision NOT NULL,
    step                 double precision NOT NULL CHECK (step > 0),
    repeats              boolean NOT NULL,       -- what the key was told before
    PRIMARY KEY (entry_id, metric, scoring)
);
-- The answers of a key that said something new, with what later ones are held against: kept whatever becomes
-- of the entry, as else its owner could ask again.
CREATE TABLE ladder_rungs (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id               uuid NOT NULL REFERENCES api_keys,
    metric               text NOT NULL,
    scoring              text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    ground_truth_version text NOT NULL,
    statistics_version   text NOT NULL,
    metric_version       text NOT NULL,
    judge_version        text,
    value                double precision NOT NULL,
    replicates           bytea NOT NULL CHECK (octet_length(replicates) = 8000),
    clusters             integer NOT NULL,
    shown                double precision NOT NULL,
    step                 double precision NOT NULL CHECK (step > 0),
    at                   timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE ladder_rungs ALTER COLUMN replicates SET STORAGE EXTERNAL;
CREATE INDEX ladder_rungs_of_key ON ladder_rungs (key_id, metric, scoring, id);

-- Standings with exact values, as the version before wrote them: not shown, and made anew.
CREATE INDEX hypothetical_ranks_exact ON hypothetical_ranks (entry_id) WHERE NOT content ? 'steps';

-- The note of a withdrawal stands on the board's list of withdrawn entries, from now on; those of before
-- were written for the owner alone.
ALTER TABLE submissions ADD COLUMN withdrawal_is_public boolean NOT NULL DEFAULT false;
CREATE INDEX entries_gone ON entries (board, removed_at DESC, id DESC)
    WHERE removed_at IS NOT NULL AND NOT hypothetical;

-- Counts of items tell how many captions matched: a webhook of what is only evaluated has none.
CREATE OR REPLACE FUNCTION submission_events_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (submission_id, kind, data, happened_at, event_id)
    SELECT submission_id, NEW.kind || '.' || (NEW.data ->> 'state'),
           CASE WHEN EXISTS (SELECT FROM entries
                              WHERE entries.submission_id = NEW.submission_id AND hypothetical)
                THEN NEW.data - '{items,items_done}'::text[] ELSE NEW.data END,
           NEW.at, NEW.id
      FROM webhooks
     WHERE submission_id = NEW.submission_id;
    RETURN NULL;
END $$;
