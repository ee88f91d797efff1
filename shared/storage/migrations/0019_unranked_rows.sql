-- Entries without any value have no rank, and a board says how equal values share ranks.

ALTER TABLE boards
    ADD COLUMN ranking text NOT NULL DEFAULT 'competition'
               CHECK (ranking IN ('competition', 'dense'));

-- `content` goes on holding ranked rows only, and `entries` their number: the gateway of the version
-- before knows no row without a rank.
ALTER TABLE snapshots
    ADD COLUMN unranked bytea,       -- JSON as content, ranks being null; null: no entry is unranked
    -- Null: written by the version before, whose content ranks every row by competition. A board whose
    -- newest snapshot is such a one is ranked again.
    ADD COLUMN ranking text CHECK (ranking IN ('competition', 'dense'));
