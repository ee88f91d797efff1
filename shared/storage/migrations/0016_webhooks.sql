-- Addresses that want to be told what becomes of a submission, and what they are to be told.
CREATE TABLE webhooks (
    submission_id uuid PRIMARY KEY REFERENCES submissions ON DELETE CASCADE,
    url           text NOT NULL CHECK (url ~* '^https?://'),
    secret        bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),   -- signs; so not hashed
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE webhook_deliveries (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),  -- the event's, the same at every attempt
    submission_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    kind          text NOT NULL,
    data          jsonb NOT NULL,
    happened_at   timestamptz NOT NULL DEFAULT now(),
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at        timestamptz NOT NULL DEFAULT now(),
    leased_until  timestamptz,                       -- somebody is at it; a dead one's lease runs out
    status        integer,                           -- of the last answer
    error         text,                              -- why the last attempt failed
    settled_at    timestamptz,
    CHECK ((state = 'waiting') = (settled_at IS NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (settled_at DESC) WHERE state = 'dead';
CREATE INDEX webhook_deliveries_of_submission ON webhook_deliveries (submission_id, happened_at);

-- Written in the transaction of what happened: told exactly if it did.
CREATE FUNCTION submission_events_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (submission_id, kind, data, happened_at)
    SELECT submission_id, NEW.kind || '.' || (NEW.data ->> 'state'), NEW.data, NEW.at
      FROM webhooks
     WHERE submission_id = NEW.submission_id;
    RETURN NULL;
END $$;
CREATE TRIGGER submission_events_call AFTER INSERT ON submission_events
    FOR EACH ROW WHEN (NEW.kind IN ('submission', 'judging')) EXECUTE FUNCTION submission_events_call();
