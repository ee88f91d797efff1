"""What administrators do: each action in one transaction with its line in the audit log."""
