-- People who sign in at an identity provider, and what their browsers and programs show us.

-- An account is an API key whose own secret nobody has: quotas, submissions and what evaluate-only
-- answers disclose follow it, as they do any key.
CREATE TABLE identities (
    key_id       uuid PRIMARY KEY REFERENCES api_keys,
    issuer       text NOT NULL CHECK (char_length(issuer) BETWEEN 1 AND 500),
    subject      text NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 255),
    provider     text NOT NULL CHECK (provider <> ''),     -- what people call the issuer
    name         text NOT NULL CHECK (name <> ''),         -- what the issuer calls the person, at the last sign-in
    name_shown   boolean NOT NULL DEFAULT false,           -- whether the account's entries name both
    created_at   timestamptz NOT NULL DEFAULT now(),
    signed_in_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identities_one_account UNIQUE (issuer, subject)
);

CREATE TABLE sign_ins (
    token_sha256   bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    id             uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),    -- no secret: by it one is ended
    key_id         uuid NOT NULL REFERENCES identities,
    kind           text NOT NULL CHECK (kind IN ('browser', 'program')),    -- shown as a cookie, or as an API key
    label          text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),
    attempt_sha256 bytea UNIQUE CHECK (octet_length(attempt_sha256) = 32),  -- of what a browser began: once only
    by_claim       boolean NOT NULL DEFAULT false,    -- whether the provider's claims made it an administrator's
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_used_at   timestamptz,                       -- to the minute
    expires_at     timestamptz,                       -- null: when it is ended
    CONSTRAINT sign_ins_browsers_expire CHECK (kind = 'program' OR expires_at IS NOT NULL)
);
CREATE INDEX sign_ins_of_account ON sign_ins (key_id, created_at DESC);
CREATE INDEX sign_ins_expired ON sign_ins (expires_at) WHERE expires_at IS NOT NULL;

-- A program that waits until its user has allowed it in a browser (RFC 8628).
CREATE TABLE device_codes (
    device_sha256 bytea PRIMARY KEY CHECK (octet_length(device_sha256) = 32),
    user_code     text NOT NULL UNIQUE,
    label         text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),   -- what the program calls itself
    address       text NOT NULL,                      -- where it asks from
    key_id        uuid REFERENCES identities,         -- the account that allowed it; null: nobody yet
    denied        boolean NOT NULL DEFAULT false,
    polled_at     timestamptz NOT NULL DEFAULT '-infinity',
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    CONSTRAINT device_codes_one_answer CHECK (key_id IS NULL OR NOT denied)
);
CREATE INDEX device_codes_of_address ON device_codes (address);
CREATE INDEX device_codes_expired ON device_codes (expires_at);
