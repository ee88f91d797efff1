-- Planning a run anew drops its old batches; without this all batches ever made would be read for it.
CREATE INDEX judge_batches_of_run ON judge_batches (run_id);
