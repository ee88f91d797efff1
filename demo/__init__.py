"""The demonstration: every service in one process, sample data, one submission over HTTP."""
