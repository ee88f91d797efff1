-- Values of few answers are withheld from boards.

ALTER TABLE snapshots
    -- The rule by which values were withheld. Null: written by the version before, which withheld
    -- none. A board whose newest snapshot has another rule is ranked again.
    ADD COLUMN disclosure smallint CHECK (disclosure > 0);

-- Standings that the version before wrote are not shown, and are made anew.
CREATE INDEX hypothetical_ranks_of_before ON hypothetical_ranks (entry_id) WHERE NOT content ? 'withheld';
