"""The scorer: the seven rule-based metrics of every submission."""
