"""The benchmark's pure domain: tasks, metrics, text parsers, ground truth, submissions."""
