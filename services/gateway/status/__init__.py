"""The status of the whole system, public."""
