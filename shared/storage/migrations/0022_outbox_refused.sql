-- A message that the bus refuses waits beside the others, and is tried a few times before it dies.
ALTER TABLE outbox
    ADD COLUMN attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),  -- refusals so far
    ADD COLUMN retry_at timestamptz;                                       -- NULL: never refused
CREATE INDEX outbox_refused ON outbox (retry_at) WHERE published_at IS NULL AND retry_at IS NOT NULL;
