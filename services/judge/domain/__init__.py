"""Pure judging: which pairs to judge, and what verdicts add up to."""
