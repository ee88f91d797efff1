-- Tracks of challenges: what accounts have sent to them, and their final results.

CREATE TABLE track_uses (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account       text NOT NULL,
    track         text NOT NULL,                      -- its id in the file of challenges
    submission_id uuid NOT NULL REFERENCES submissions,
    at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX track_uses_of_account ON track_uses (account, track, at);

-- The snapshots of the community board that a track's final results are read from. What is named here
-- is never pruned.
CREATE TABLE track_finals (
    track       text NOT NULL,                        -- its id in the file of challenges
    name        text NOT NULL,                        -- which its entries carry
    scoring     text NOT NULL CHECK (scoring IN ('compat', 'strict')),
    snapshot_id bigint NOT NULL REFERENCES snapshots ON DELETE RESTRICT,
    frozen_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (track, scoring)
);
CREATE INDEX track_finals_snapshots ON track_finals (snapshot_id);
