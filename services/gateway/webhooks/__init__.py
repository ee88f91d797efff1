"""Webhooks: the events of a submission, sent to an address that its owner named."""
