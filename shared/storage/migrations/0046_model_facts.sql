-- What owners and administrators state of models, and every change of it.

ALTER TABLE entries
    -- By name; what is unknown has no name here. The ranker takes over what boards show.
    ADD COLUMN facts jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(facts) = 'object');

CREATE TABLE fact_changes (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id uuid NOT NULL REFERENCES entries,
    at       timestamptz NOT NULL DEFAULT now(),
    by       text NOT NULL CHECK (by IN ('owner', 'administrator')),
    before   jsonb NOT NULL,                    -- the facts that differ; null: unknown
    after    jsonb NOT NULL,                    -- the same facts
    CONSTRAINT fact_changes_change CHECK (before <> after)
);
CREATE INDEX fact_changes_of_entry ON fact_changes (entry_id, id);
