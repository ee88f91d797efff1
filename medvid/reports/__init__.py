"""Reports on a file of predictions, for people who improve a model: what they say, and how."""
