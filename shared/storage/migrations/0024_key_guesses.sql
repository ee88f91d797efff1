-- Wrong keys of the last minutes, by address and the networks around it, of all gateways together.
-- What was guessed is not here.
CREATE TABLE key_guesses (
    account text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX key_guesses_lately ON key_guesses (account, at DESC);
CREATE INDEX key_guesses_old ON key_guesses (at);
