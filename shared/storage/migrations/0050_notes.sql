-- Objections to entries, notes on entries and boards, errata of snapshots; and what a board's numbers rested on.

CREATE TABLE notes (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),  -- no number: it would count what is not public
    kind         text NOT NULL CHECK (kind IN ('objection', 'note', 'erratum')),
    state        text NOT NULL CHECK (state IN ('open', 'published', 'resolved', 'refused', 'withdrawn')),
    entry_id     uuid REFERENCES entries,
    board        text REFERENCES boards,              -- of notes on a board, and of errata
    snapshot_id  bigint REFERENCES snapshots,         -- that an erratum corrects
    corrected_by bigint REFERENCES snapshots,
    text         text NOT NULL CHECK (length(text) <= 4000),      -- empty: erased
    name         text CHECK (length(name) <= 200),    -- of who objects, where it is to be shown
    account      text,                                -- who objects, as 'key:ID'; null: administrators
    answer       text CHECK (length(answer) <= 4000),             -- of the entry's owner
    resolution   text CHECK (length(resolution) <= 4000),
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,                         -- null: nobody but its author and administrators sees it
    answered_at  timestamptz,
    resolved_at  timestamptz,
    ended_at     timestamptz,                         -- refused or withdrawn
    ended_by     text CHECK (ended_by IN ('participant', 'administrator')),
    changed_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notes_subject CHECK (CASE kind
        WHEN 'objection' THEN entry_id IS NOT NULL AND account IS NOT NULL AND num_nonnulls(board, snapshot_id, corrected_by) = 0
        WHEN 'note' THEN account IS NULL AND num_nonnulls(entry_id, board) = 1 AND num_nonnulls(snapshot_id, corrected_by) = 0
        ELSE account IS NULL AND entry_id IS NULL AND board IS NOT NULL AND corrected_by > snapshot_id END),
    CONSTRAINT notes_published CHECK ((published_at IS NULL) <= (state IN ('open', 'refused', 'withdrawn'))),
    CONSTRAINT notes_resolved CHECK ((state = 'resolved') <= (resolved_at IS NOT NULL)),
    CONSTRAINT notes_ended CHECK ((state IN ('refused', 'withdrawn')) = (num_nonnulls(ended_at, ended_by) = 2))
);
CREATE INDEX notes_of_entry ON notes (entry_id) WHERE entry_id IS NOT NULL;
CREATE INDEX notes_of_board ON notes (board) WHERE board IS NOT NULL;
CREATE INDEX notes_of_snapshot ON notes (snapshot_id) WHERE snapshot_id IS NOT NULL;
CREATE INDEX notes_of_correction ON notes (corrected_by) WHERE corrected_by IS NOT NULL;
CREATE INDEX notes_of_account ON notes (account, created_at DESC) WHERE account IS NOT NULL;
CREATE INDEX notes_newest ON notes (created_at DESC, id DESC);
CREATE UNIQUE INDEX notes_one_open ON notes (account, entry_id) WHERE state = 'open';
-- An administrator's action that is repeated adds nothing.
CREATE UNIQUE INDEX notes_once ON notes (
    kind, coalesce(entry_id::text, board), coalesce(snapshot_id, 0), coalesce(corrected_by, 0), md5(text))
    WHERE state = 'published' AND account IS NULL;

CREATE FUNCTION notes_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('open', 'published'), ('open', 'refused'), ('open', 'withdrawn'),
        ('published', 'resolved'), ('published', 'withdrawn'), ('resolved', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'note % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'notes_transition';
    END IF;
    IF OLD.answer IS NOT NULL AND NEW.answer <> '' AND NEW.answer <> OLD.answer THEN
        RAISE EXCEPTION 'the answer to note % stays as it is', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'notes_answered_once';
    END IF;
    NEW.changed_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER notes_guard BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION notes_guard();

-- A new version does not shake off what was held against the one before: somebody resolves it.
CREATE FUNCTION notes_go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE notes SET entry_id = NEW.id
     WHERE entry_id = NEW.replaces AND kind = 'objection' AND state IN ('open', 'published');
    RETURN NULL;
END $$;
CREATE TRIGGER notes_go_on AFTER UPDATE OF listed ON entries
    FOR EACH ROW WHEN (NEW.listed AND NOT OLD.listed AND NEW.replaces IS NOT NULL)
    EXECUTE FUNCTION notes_go_on();

-- Written by the ranker with the first snapshot that shows it. The first of a board and kind has nothing before it.
-- Snapshots are thinned out, these stay; changes of the judge are in series_breaks.
CREATE TABLE board_changes (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    board       text NOT NULL REFERENCES boards,
    kind        text NOT NULL CHECK (kind IN ('rule', 'metric', 'ground_truth')),
    at          timestamptz NOT NULL DEFAULT now(),
    before      text[],
    after       text[] NOT NULL,
    snapshot_id bigint NOT NULL
);
CREATE INDEX board_changes_of_board ON board_changes (board, kind, snapshot_id DESC);

-- What the snapshots that are kept say of the past.
INSERT INTO board_changes (board, kind, at, before, after, snapshot_id)
SELECT board, 'rule', created_at, before, after, id
  FROM (SELECT id, board, created_at, after, lag(after) OVER (PARTITION BY board ORDER BY id) AS before
          FROM (SELECT id, board, created_at, ARRAY[
                       'other_judges: ' || coalesce(series ->> 'other_judges', 'ranked'),
                       'published: ' || coalesce(series ->> 'published', 'ranked'),
                       'ranking: ' || coalesce(ranking, 'competition')] AS after
                  FROM snapshots
                 WHERE scoring = 'compat') AS rules) AS steps
 WHERE after IS DISTINCT FROM before;

CREATE VIEW public_changes AS
SELECT id, kind, board, at, before, after, snapshot_id FROM board_changes WHERE before IS NOT NULL
UNION ALL
SELECT md5('judge ' || board || extract(epoch FROM at))::uuid, 'judge', board, at, ARRAY[before], ARRAY[after], snapshot_id
  FROM series_breaks
 WHERE before IS NOT NULL AND after IS NOT NULL;

-- With all that is known of each; texts that were erased are null.
CREATE VIEW all_notes AS
SELECT n.id, n.kind, n.state, n.entry_id, n.board, n.snapshot_id, n.corrected_by,
       nullif(n.text, '') AS text, nullif(n.name, '') AS name, n.account,
       CASE WHEN n.account IS NULL THEN 'administrator' ELSE 'participant' END AS by,
       nullif(n.answer, '') AS answer, nullif(n.resolution, '') AS resolution,
       n.created_at, n.published_at, n.answered_at, n.resolved_at,
       CASE WHEN n.state = 'withdrawn' THEN n.ended_at END AS withdrawn_at, n.changed_at,
       (SELECT json_agg(change ORDER BY at DESC)
          FROM public_changes change
         WHERE change.board = n.board AND change.snapshot_id > n.snapshot_id
           AND change.snapshot_id <= n.corrected_by)::text AS causes,
       e.model_name, e.board AS entry_board, e.submission_id
  FROM notes n
  LEFT JOIN entries e ON e.id = n.entry_id;

-- The one place that decides what the public sees of a note: of one that was withdrawn no texts.
CREATE VIEW public_notes AS
SELECT id, kind, state, entry_id, board, snapshot_id, corrected_by, by,
       CASE WHEN state <> 'withdrawn' THEN text END AS text,
       CASE WHEN state <> 'withdrawn' THEN name END AS name,
       CASE WHEN state <> 'withdrawn' THEN answer END AS answer,
       CASE WHEN state <> 'withdrawn' THEN resolution END AS resolution,
       published_at, answered_at, resolved_at, withdrawn_at, changed_at,
       CASE WHEN state <> 'withdrawn' THEN causes END AS causes
  FROM all_notes
 WHERE published_at IS NOT NULL;

-- The owner of an entry is told what becomes of objections to it. Unchecked for what is there: it passes.
ALTER TABLE submission_events
    DROP CONSTRAINT submission_events_kind_check,
    ADD CONSTRAINT submission_events_kind_check
        CHECK (kind IN ('submission', 'judging', 'progress', 'objection')) NOT VALID;
DROP TRIGGER submission_events_call ON submission_events;
CREATE TRIGGER submission_events_call AFTER INSERT ON submission_events
    FOR EACH ROW WHEN (NEW.kind IN ('submission', 'judging', 'objection')) EXECUTE FUNCTION submission_events_call();
