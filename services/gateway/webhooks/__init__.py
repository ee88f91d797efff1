"""Webhooks: what happened to a submission, told to an address its owner named."""
