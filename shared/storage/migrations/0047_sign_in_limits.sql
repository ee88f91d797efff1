-- What sessions and names of people hold on to.

ALTER TABLE sign_ins
    -- Which claims by_claim is about, as a hash: it counts while the operator's file asks for the same.
    ADD COLUMN claims_sha256 bytea CHECK (octet_length(claims_sha256) = 32);

ALTER TABLE identities
    ADD COLUMN shown_at timestamptz;    -- when the name was last put on entries: each time boards are ranked anew
CREATE INDEX identities_of_name ON identities (issuer, lower(name));
