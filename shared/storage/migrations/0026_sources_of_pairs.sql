-- From which sources the captions of a pair come, so that their owner can look at those of one source.
-- Plans that were stored before do not say: an empty list.
ALTER TABLE judge_run_pairs
    ADD COLUMN sources text[] NOT NULL DEFAULT '{}';
