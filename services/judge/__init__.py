"""The judge: a model compares captions; any number of replicas share one submission's work."""
