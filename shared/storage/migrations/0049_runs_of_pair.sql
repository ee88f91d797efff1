-- outside a transaction
-- Finds the runs that have a pair, so that captions can be deleted. Writers go on while it is built.
DROP INDEX CONCURRENTLY IF EXISTS judge_run_pairs_pair;
CREATE INDEX CONCURRENTLY judge_run_pairs_pair ON judge_run_pairs USING hash (pair);
