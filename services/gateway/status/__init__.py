"""The system's status, for everybody."""
