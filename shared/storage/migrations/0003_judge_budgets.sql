-- What all judge replicas share: the account's rate, and the money.

-- ------------------------------------------------------------------ rate
-- A token bucket for each account. Replicas take slices of it and spend them on their own; the
-- database's clock is the only one that counts.
CREATE TABLE judge_rate_buckets (
    account     text PRIMARY KEY,
    requests    double precision NOT NULL,           -- what is left; below zero where one was overdrawn
    tokens      double precision NOT NULL,
    refilled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT judge_rate_buckets_finite CHECK (
        abs(requests) < 'infinity'::double precision AND abs(tokens) < 'infinity'::double precision)
);

-- ------------------------------------------------------------------ money
-- Settled spending of a calendar month (UTC) and of a run; without a reference to the run, since
-- the money stays spent when a run is gone.
CREATE TABLE judge_spending (
    scope          text PRIMARY KEY CHECK (scope ~ '^(month:[0-9]{4}-[0-9]{2}|run:[0-9a-f-]{36})$'),
    spent_microusd bigint NOT NULL CHECK (spent_microusd >= 0),
    warned         smallint NOT NULL DEFAULT 0 CHECK (warned IN (0, 70, 90, 100)),   -- per cent, told once
    changed_at     timestamptz NOT NULL DEFAULT now()
);

-- Money set aside by a replica for the calls it is making. Counts as spent until it expires, so a
-- killed replica holds up nobody for long.
CREATE TABLE judge_spending_leases (
    id                uuid PRIMARY KEY,
    month_scope       text NOT NULL REFERENCES judge_spending (scope),
    run_scope         text NOT NULL REFERENCES judge_spending (scope),
    reserved_microusd bigint NOT NULL CHECK (reserved_microusd > 0),
    expires_at        timestamptz NOT NULL
);
CREATE INDEX judge_spending_leases_expiry ON judge_spending_leases (expires_at);
