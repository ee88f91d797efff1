"""The message bus: a port, two adapters, the outbox relay, the inbox and dead letters."""
