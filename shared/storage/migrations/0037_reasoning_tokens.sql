-- Of a verdict's prompt tokens those out of the provider's cache, of its completion tokens those spent
-- before the reply. What was judged before this migration does not tell them apart.

ALTER TABLE judge_verdicts
    ADD COLUMN cached_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN reasoning_tokens bigint NOT NULL DEFAULT 0;
