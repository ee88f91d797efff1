-- Finds the raw replies that are too old without reading every verdict.
CREATE INDEX judge_verdicts_with_reply ON judge_verdicts (judged_at) WHERE raw_reply IS NOT NULL;
