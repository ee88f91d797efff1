-- A board ranks the judged values of one series; its choice is part of every snapshot.

ALTER TABLE boards
    ADD COLUMN series text REFERENCES judge_versions,   -- null: no value of a recorded judge was ranked yet
    ADD COLUMN other_judges text NOT NULL DEFAULT 'missing' CHECK (other_judges IN ('ranked', 'missing')),
    ADD COLUMN published text NOT NULL DEFAULT 'ranked' CHECK (published IN ('ranked', 'missing'));

-- The three of them; null: the version before wrote it, and ranked all values.
ALTER TABLE snapshots ADD COLUMN series jsonb;

-- When a board went over to another series; the first has no series before it. Snapshots are thinned out,
-- these stay.
CREATE TABLE series_breaks (
    board       text NOT NULL REFERENCES boards,
    at          timestamptz NOT NULL,
    before      text,
    after       text,
    snapshot_id bigint NOT NULL,
    PRIMARY KEY (board, at)
);
