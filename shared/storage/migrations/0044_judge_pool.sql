-- A pool of endpoints that serve one judge: what replicas and administrators tell each other of each.

CREATE TABLE judge_pool_endpoints (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,31}$'),   -- the operator's, of all pools
    judge_version text NOT NULL,                     -- that it serves, as the replicas have it
    state         text NOT NULL DEFAULT 'serving' CHECK (state IN ('serving', 'drained', 'other_model')),
    why           text,                              -- the administrator's reason, or what it serves instead
    changed_at    timestamptz NOT NULL DEFAULT now(),
    down          text,                              -- why a replica holds its calls back; null: it does not
    seen_at       timestamptz NOT NULL DEFAULT now(),    -- by a replica that has it in its file
    CONSTRAINT judge_pool_endpoints_why CHECK ((state = 'serving') = (why IS NULL))
);

ALTER TABLE judge_spending_leases ADD COLUMN endpoint text;   -- whom the money is for; null: of the version before
CREATE INDEX judge_costs_of_endpoint ON judge_costs (endpoint, day);
