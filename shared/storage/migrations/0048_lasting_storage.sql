-- What grows for ever costs less: texts of old verdicts are packed, and captions go once no judge run that is
-- kept has them. A column without a default and a dropped constraint take a lock for a moment, however large
-- the tables are.

-- The replies and rationales of some hundred verdicts in one row: long values, which Postgres compresses, as it
-- does not the short ones of single rows.
CREATE TABLE judge_text_packs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    replies    bytea[],                              -- by place, from 1; null: none is kept any more
    rationales text[],                               -- the same; null: none has one
    newest     timestamptz NOT NULL                  -- when the last of its verdicts was given
);
CREATE INDEX judge_text_packs_with_replies ON judge_text_packs (newest) WHERE replies IS NOT NULL;

ALTER TABLE judge_verdicts
    ADD COLUMN pack  bigint,                         -- null: its texts are in its own row
    ADD COLUMN place smallint,                       -- its place there
    -- A verdict is known by the hash of its pair: it saves the next call whether the captions are kept or not.
    DROP CONSTRAINT judge_verdicts_pair_fkey;

-- Texts of verdicts, wherever they are.
CREATE VIEW judge_verdict_texts AS
SELECT v.judge_version, v.pair, v.repeat,
       coalesce(v.raw_reply, k.replies[v.place]) AS raw_reply,
       coalesce(v.rationale, k.rationales[v.place]) AS rationale
  FROM judge_verdicts v
  LEFT JOIN judge_text_packs k ON k.id = v.pack;

-- Pairs that a judge run let go; their captions are deleted unless another run has them.
CREATE TABLE judge_texts_due (
    pair bytea PRIMARY KEY REFERENCES judge_pairs ON DELETE CASCADE
);
